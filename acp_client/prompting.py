"""Sends prompts to the server, waits until their turns have ended, and cancels turns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from acp_client.api.feed import EventFeed
from acp_client.api.server import AnswerLost, Server, ServerFailure, ServerGone
from acp_client.attached import Attached, RunningTurn
from acp_client.content.options import Choices
from acp_client.editor.peer import Job, Result
from acp_client.protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from acp_client.session.turn import CANCELLED, TurnOutcome

log = logging.getLogger("weir.acp")

CONNECT_S = 15.0
"""How many seconds a prompt waits for the event stream, without which the answer would be lost."""
_ABORT_EVERY_S = 1.0
_ABORTS = 10
_LOOKS, _LOOK_EVERY_S = 10, 1.0
_GONE = 3
"""After so many failed requests to stop a turn, the turn counts as ended: the server is gone."""
COMPACT = "compact"


class Prompting:
    """Carries out `session/prompt` and `session/cancel` for all sessions.

    Args:
        server: sends requests to the server.
        feed: the event stream of the server.
        withdraw: takes a session's id, and withdraws its open permissions and questions.
        lock: the lock that protects all sessions.
    """

    def __init__(
        self,
        server: Server,
        feed: EventFeed,
        withdraw: Callable[[str], None],
        lock: threading.RLock,
    ) -> None:
        self._server = server
        self._feed = feed
        self._withdraw = withdraw
        self._lock = lock

    def begin(self, attached: Attached, parts: list[dict[str, Any]]) -> Job:
        """Return the job that sends a prompt, and that ends when the prompt's turn has ended.

        Raises:
            RpcError: another turn runs in the session.
        """
        with self._lock:
            if attached.running is not None:
                raise RpcError(
                    INVALID_REQUEST,
                    f"sessionId: a turn runs in the session {attached.conversation.id!r}; cancel "
                    "the turn, or wait until it has ended",
                )
            running = attached.running = RunningTurn()
        return Job(
            run=lambda: self._run(attached, running, parts),
            give_up=lambda: self.cancel(attached),
            answered=running.answered.set,
        )

    def cancel(self, attached: Attached) -> None:
        """Begin to stop a session's running turn; its prompt is answered when it has ended."""
        with self._lock:
            running = attached.running
            if running is None or running.turn.cancelled:
                return
            running.turn.cancelled = True
        threading.Thread(target=self._abort, args=(attached, running), daemon=True).start()

    def stop(self, attached: Attached, timeout_s: float) -> None:
        """Stop the running turn of a session, and wait until its prompt is answered."""
        with self._lock:
            running = attached.running
        if running is not None:
            self.cancel(attached)
            running.answered.wait(timeout_s)

    def _run(
        self, attached: Attached, running: RunningTurn, parts: list[dict[str, Any]]
    ) -> Result:
        try:
            self._send(attached, running, parts)
        except ServerFailure as failure:
            self._failed(attached, running, str(failure))
        running.done.wait()
        outcome = running.outcome or TurnOutcome()
        if outcome.error is not None:
            raise RpcError(INTERNAL_ERROR, outcome.error)
        return Result({"stopReason": outcome.stopReason})

    def _send(self, attached: Attached, running: RunningTurn, parts: list[dict[str, Any]]) -> None:
        # The prompt is sent only once the event stream is connected. Otherwise the events of the
        # turn could be published before, and would be missed.
        if not self._feed.wait_connected(CONNECT_S):
            origin = self._server.origin
            words = (
                f"the prompt was not sent, because there is no event stream from {origin}: "
                f"{self._feed.words}"
            )
            self._failed(attached, running, words)
            return
        with self._lock:
            if running.turn.cancelled:
                attached.finish(running, TurnOutcome(CANCELLED))
                return
            running.sent = True
        command = _command_of(parts, attached.commands)
        if command is None:
            body = {"parts": parts, **_chosen(attached.conversation.choices)}
            path = f"{attached.path}/prompt_async"
            try:
                self._server.ask("POST", path, body, attached.conversation.directory)
            except AnswerLost:
                if not self._was_taken(attached, running):
                    raise
            running.accepted = True
            self._check(attached, running)
        else:
            threading.Thread(
                target=self._command, args=(attached, running, *command), daemon=True
            ).start()

    def _was_taken(self, attached: Attached, running: RunningTurn) -> bool:
        """Return whether the server has a prompt, after the answer to its request was lost."""
        for _ in range(_LOOKS):
            if running.done.wait(_LOOK_EVERY_S) or running.turn.prompt is not None:
                return True
            try:
                attached.look_for_prompt(running)
            except ServerFailure as failure:
                log.warning(
                    "whether the server has received the prompt of session %s is unknown so far: "
                    "%s",
                    attached.conversation.id,
                    failure,
                )
        return running.turn.prompt is not None

    def _command(self, attached: Attached, running: RunningTurn, name: str, given: str) -> None:
        """Run a slash command; unlike for a prompt, the server answers when the turn has ended."""
        choices, directory = attached.conversation.choices, attached.conversation.directory
        body: dict[str, Any]
        if name == COMPACT:
            path, body = f"{attached.path}/summarize", dict(_model(choices) or {})
        else:
            path, body = f"{attached.path}/command", {"command": name, "arguments": given}
            body |= {"agent": choices.mode} if choices.mode else {}
            body |= {"model": choices.model} if choices.model else {}
        try:
            self._server.ask("POST", path, body, directory, timeout_s=None)
            self._check(attached, running)
        except ServerFailure as failure:
            self._failed(attached, running, str(failure))

    def _check(self, attached: Attached, running: RunningTurn) -> None:
        """Until the prompt's message arrives, check whether the server has dropped the prompt.

        If an accepted prompt fails before its message is created, the server publishes an error,
        but no idle status, so that the turn would never end.
        """
        while not running.done.wait(_ABORT_EVERY_S):
            with self._lock:
                if running.turn.prompt is not None:
                    return
                failure = running.turn.failure
            if failure is not None and attached.is_idle():
                self._failed(attached, running, failure.words)

    def _failed(self, attached: Attached, running: RunningTurn, words: str) -> None:
        """End a turn with an error, unless the server has begun it: then its events end it."""
        with self._lock:
            if running.turn.cancelled:
                attached.finish(running, TurnOutcome(CANCELLED))
            elif running.turn.prompt is None:
                attached.finish(running, TurnOutcome(error=words))

    def _abort(self, attached: Attached, running: RunningTurn) -> None:
        """Request again and again that the server stops a turn, until the turn has ended.

        One request is not enough: it may reach the server before the prompt does.
        """
        with self._lock:
            if not running.sent:
                attached.finish(running, TurnOutcome(CANCELLED))
        gone = 0
        for _ in range(_ABORTS):
            if running.done.is_set() or gone == _GONE:
                break
            try:
                directory = attached.conversation.directory
                self._server.ask("POST", f"{attached.path}/abort", None, directory, timeout_s=5.0)
            except ServerFailure as failure:
                log.warning(
                    "the turn in session %s could not be stopped: %s",
                    attached.conversation.id,
                    failure,
                )
                gone += isinstance(failure, ServerGone)
            self._withdraw(attached.conversation.id)
            running.done.wait(_ABORT_EVERY_S)
        with self._lock:
            attached.finish(running, TurnOutcome(CANCELLED))


def _command_of(parts: list[dict[str, Any]], commands: frozenset[str]) -> tuple[str, str] | None:
    """Return the slash command at the start of a prompt, and its arguments.

    None if the prompt does not begin with a slash command that the server has.
    """
    text = parts[0].get("text", "") if parts else ""
    name, _, given = text.removeprefix("/").partition(" ")
    name = name.strip()
    if not text.startswith("/") or name not in commands:
        return None
    more = [part["text"] for part in parts[1:] if part["type"] == "text"]
    return name, "\n".join([given.strip(), *more]).strip()


def _chosen(choices: Choices) -> dict[str, Any]:
    model = _model(choices)
    chosen: dict[str, Any] = {"model": model} if model else {}
    return {**chosen, "agent": choices.mode} if choices.mode else chosen


def _model(choices: Choices) -> dict[str, str] | None:
    provider, slash, model = choices.model.partition("/")
    return {"providerID": provider, "modelID": model} if slash else None
