"""Turns: started, waited for, and stopped."""

from __future__ import annotations

import falcon
import msgspec
from falcon import Request, Response

from bus.bodies import PromptBody
from bus.commands import Abort as AbortCommand
from bus.commands import Done, Prompt, TurnWait
from bus.transport.requester import Requester
from gateway.resources.answer import answer
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake

PROMPT = msgspec.json.Decoder(PromptBody)
_WAIT_MS = 20_000
# Longer than the wait, so that a turn still running is distinguished from a processor that hangs.
_WAIT_DEADLINE_S = 25.0
_STILL_RUNNING = b"null"


class _Started(msgspec.Struct):
    messageID: str


_STARTED = msgspec.json.Decoder(_Started)


def start_turn(requester: Requester, session: str, prompt: PromptBody) -> str:
    """Queue a turn; returns the id of the user's message."""
    return _STARTED.decode(requester.call(Prompt(session, prompt)).body).messageID


def answer_of(courier: Courier, session: str, message: str) -> Done:
    """Wait until the turn of a user's message is over, however long it takes."""
    wait = TurnWait(session, message, _WAIT_MS)
    while True:
        done = courier.wait(wait, _WAIT_DEADLINE_S)
        if done.body != _STILL_RUNNING:
            return done


class PromptAsync:
    """``/session/{id}/prompt_async``."""

    def __init__(self, requester: Requester, intake: BodyIntake) -> None:
        self._requester = requester
        self._intake = intake

    def on_post(self, req: Request, resp: Response, session: str) -> None:
        """Queue a turn; what becomes of it goes over the event stream."""
        with self._intake.prompt(req, PROMPT) as prompt:
            start_turn(self._requester, session, prompt)
        resp.status = falcon.HTTP_204


class Abort:
    """``/session/{id}/abort``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_post(self, req: Request, resp: Response, session: str) -> None:
        """Stop the turn that runs, and forget those that wait."""
        answer(resp, self._requester.call(AbortCommand(session)).body)
