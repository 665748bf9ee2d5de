"""Those who prompt: a session, an answer, and the question whether everybody has all of it."""

import random
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from tests.faults.difference import difference
from tests.faults.follower import Follower
from tests.faults.witness import Broken
from tests.http_client import Reply, call

DIRECTORY = "/srv/soak"
_ANSWER_S = 60.0
_HOLD_S = 60.0
_POLL_S = 0.1
_REFETCH_S = 1.0


class User:
    """Prompts one session after another.

    Args:
        url: of weir itself, or of its upstream: what is under test is what followers are told.
        followers: everybody who follows the stream.
        draw: where choices come from.

    Attributes:
        turns: ended so far, each held by every follower.
        characters: of their texts.
    """

    def __init__(self, url: str, followers: Sequence[Follower], draw: random.Random) -> None:
        self.turns = 0
        self.characters = 0
        self._url = url
        self._followers = followers
        self._draw = draw

    def run(self, until: float) -> None:
        """Prompt until `time.monotonic()` is `until`.

        Raises:
            Broken: a follower got what it must never get, or does not get what there is.
        """
        while time.monotonic() < until:
            session = self._ask("POST", "/session", {}).body["id"]
            for _ in range(self._draw.randint(1, 2)):
                self._turn(session)
            self._ask("DELETE", f"/session/{session}")
            self._wait_until_gone(session)
            time.sleep(self._draw.uniform(0.0, 1.0))

    def _turn(self, session: str) -> None:
        prompt, patience_s = _prompt(self._draw)
        self._ask("POST", f"/session/{session}/prompt_async", {"parts": [_text(prompt)]})
        if patience_s:
            time.sleep(patience_s)
            self._ask("POST", f"/session/{session}/abort")
        self._wait_for_answer(session)
        messages = self._wait_until_held(session)
        self.turns += 1
        self.characters += sum(len(p.get("text", "")) for p in messages[-1]["parts"])

    def _wait_for_answer(self, session: str) -> None:
        end = time.monotonic() + _ANSWER_S
        while session in self._ask("GET", "/session/status").body:
            if time.monotonic() > end:
                raise Broken(f"session {session} is busy for more than {_ANSWER_S:g} s")
            time.sleep(_POLL_S)

    def _wait_until_held(self, session: str) -> list[dict[str, Any]]:
        """Return the messages that are stored, once everybody holds them."""
        end, fetched = time.monotonic() + _HOLD_S, 0.0
        while True:
            now = time.monotonic()
            if now > fetched + _REFETCH_S:
                messages = self._ask("GET", f"/session/{session}/message").body
                fetched = now
            without = [f for f in self._followers if not f.holds(session, messages)]
            if not without:
                return list(messages)
            if now > end:
                raise Broken(
                    f"not held after {_HOLD_S:g} s: {_missing(without, session, messages)}"
                )
            time.sleep(_POLL_S)

    def _wait_until_gone(self, session: str) -> None:
        end = time.monotonic() + _HOLD_S
        while not all(follower.holds(session, []) for follower in self._followers):
            if time.monotonic() > end:
                raise Broken(f"session {session} was deleted, and is still held")
            time.sleep(_POLL_S)

    def _ask(self, method: str, path: str, body: Any = None) -> Reply:
        reply = call(method, f"{self._url}{path}?directory={quote(DIRECTORY)}", body)
        if reply.status >= 300:
            raise Broken(f"{method} {path}: {reply.status} {reply.body}")
        return reply


def _prompt(draw: random.Random) -> tuple[str, float]:
    """Return a script of `tests.fakes.provider`, and seconds until the abort, 0 for none."""
    kind = draw.choice(("storm", "storm", "rate", "reason", "length", "cutonce", "hang"))
    match kind:
        case "storm":
            # The closing snapshot is one event: it must fit into what a connection lets pass.
            return f"storm {draw.randint(1, 3000)} {draw.choice((9, 40))}", 0.0
        case "rate":
            return f"rate {draw.randint(20, 1000)} {draw.randint(1, 1500)}", draw.uniform(0.5, 2.0)
        case "reason":
            return f"reason {draw.randint(1, 500)} text {draw.randint(1, 500)}", 0.0
        case "hang":
            return f"hang {draw.randint(1, 300)}", draw.uniform(0.1, 1.0)
        case _:
            return f"{kind} {draw.randint(1, 1000)}", 0.0


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _missing(
    followers: Sequence[Follower], session: str, messages: list[dict[str, Any]]
) -> list[str]:
    return [
        f"{follower.name}, on connection {follower.witness.connections} "
        f"after {follower.witness.last_event_id}: "
        + difference(follower.witness.state.messages_of(session), messages)
        for follower in followers
    ]
