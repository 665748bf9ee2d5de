"""An agent's connection to a weir."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from weir.errors import Unreachable, WeirError
from weir.inbox import Inbox
from weir.outbox import Outbox
from weir.session import Session
from weir.turn import Turn
from weir.weir_api import WeirApi

DEFAULT_URL = "http://127.0.0.1:4097"
_CONNECT_S = 60.0
_CLOSE_S = 10.0
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")

OnPrompt = Callable[[Turn], None]


class Client(AbstractContextManager["Client"]):
    """The connection of one agent, which uses two threads.

    A ``with`` block closes the connection at its end, after everything has been sent.

    Args:
        url: of weir; may contain a login.
        name: of the agent. If two processes have one name, only the one that connected last
            continues.
        on_prompt: called with the turn of each prompt for the agent; must not wait. None: the
            agent answers no prompts, and only runs turns of its own.
        patient: wait for weir without a limit.

    Attributes:
        server: for REST requests.
        name: as given.

    Raises:
        WeirError: no connection.
    """

    def __init__(
        self,
        url: str,
        name: str,
        on_prompt: OnPrompt | None = None,
        patient: bool = False,
    ) -> None:
        self.server = WeirApi(url)
        self.name = name
        self._path = f"/weir/agents/{quote(name, safe='')}"
        self._on_prompt = on_prompt
        self._lock = threading.Lock()
        self._turns: dict[str, Turn] = {}
        self._outbox: Outbox | None = None
        self._failure: WeirError | None = None
        self._ready, self._failed = threading.Event(), threading.Event()
        self._inbox = Inbox(
            self.server,
            self._path,
            self._work,
            self._opened,
            self._fail,
            prompts=on_prompt is not None,
            patient=patient,
        )
        if not self._ready.wait(None if patient else _CONNECT_S) or self._failure is not None:
            self._inbox.close()
            raise self._failure or Unreachable(f"{self.server.url}: no answer")

    def session(
        self,
        id: str | None = None,
        *,
        directory: str = ".",
        title: str | None = None,
        **fields: Any,
    ) -> Session:
        """Return an existing session, or create one.

        Args:
            id: of an existing session; None: create a session.
            directory: of a new session; a relative path starts at this process's working folder.
            title: of a new session.
            fields: more fields of ``POST /session``, for example ``metadata``.

        Raises:
            Refused: the session does not exist, or cannot be created.
            Unreachable: weir does not answer.
        """
        if id is not None:
            found = self.server.ask("GET", f"/session/{quote(id, safe='')}")
        else:
            query = urlencode({"directory": os.path.abspath(directory)})
            body = {"title": title, "agent": self.name, **fields}
            given = {key: value for key, value in body.items() if value is not None}
            found = self.server.ask("POST", f"/session?{query}", given)
        return Session(self, found["id"], found["directory"])

    def turn(self, session: Session, name: str, prompt: str | None, begun: bool = False) -> Turn:
        """Return a turn; from now on it receives weir's work items about it."""
        if self._outbox is None or self._failure is not None:
            raise self._failure or WeirError("the client is closed")
        turn = Turn(session, name, self._outbox, prompt, begun)
        with self._lock:
            self._turns[name] = turn
        return turn

    def forget(self, turn: Turn) -> None:
        """Stop passing work items to a turn that has ended."""
        with self._lock:
            self._turns.pop(turn.name, None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the connection fails for good; return False if it has not.

        Raises:
            WeirError: the reason of the failure.
        """
        failed = self._failed.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return failed

    def close(self) -> None:
        """Send everything, and close the connection.

        Raises:
            Unreachable: some lines could not be saved within ten seconds.
        """
        left = 0 if self._outbox is None else self._outbox.close(_CLOSE_S)
        self._inbox.close()
        self._failed.set()
        if left and self._failure is None:
            raise Unreachable(f"{self.server.url}: {left} lines could not be saved")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection; an error of the block passes through."""
        try:
            self.close()
        except WeirError:
            if error is None:
                raise

    def __enter__(self) -> Self:
        """Return the client, which is already connected."""
        return self

    # Called by the inbox:

    def _opened(self, ready: Mapping[str, Any], asked_at: float) -> None:
        if self._outbox is None:
            self._outbox = Outbox(self.server, self._path, ready["epoch"], self._fail)
            self._ready.set()
            return
        # The message that a turn has ended may be lost: a killed processor cannot send it again.
        with self._lock:
            begun = [turn for turn in self._turns.values() if turn.begun_at < asked_at]
        lost = [turn for turn in begun if turn.name not in ready["turns"]]
        for turn in lost:
            turn.stop("the turn has ended while weir could not be reached")

    def _work(self, work: Mapping[str, Any]) -> None:
        with self._lock:
            turn = self._turns.get(work["turn"])
        if work["type"] == "prompt":
            if turn is None and self._on_prompt is not None:
                self._on_prompt(self._prompted(work))
        elif turn is None:
            return
        elif work["type"] == "abort":
            turn.stop(work["reason"])
        elif work["type"] == "reply":
            turn.replied(work)

    def _prompted(self, work: Mapping[str, Any]) -> Turn:
        session = Session(self, work["session"], work["directory"])
        turn = self.turn(session, work["turn"], work["text"], begun=True)
        turn.files, turn.system = work.get("files", 0), work.get("system", "")
        return turn

    def _fail(self, error: WeirError) -> None:
        if self._failure is not None:
            return
        self._failure = error
        if self._outbox is not None:
            self._outbox.fail(error)
        with self._lock:
            turns = list(self._turns.values())
        for turn in turns:
            turn.stop(str(error))
        self._ready.set()
        self._failed.set()


def connect(url: str = DEFAULT_URL, *, name: str | None = None) -> Client:
    """Connect an agent that runs turns of its own, and wait until weir has answered.

    Args:
        url: of weir.
        name: of the agent; default: the name of the running script.

    Raises:
        WeirError: weir does not answer, or refuses.
    """
    return Client(url, script_name() if name is None else name)


def script_name() -> str:
    """Return the name of the running script, with only the characters of agents' names."""
    stem = Path(sys.argv[0] if sys.argv else "").stem
    kept = "".join(letter if letter in _ALLOWED else "-" for letter in stem).strip(".-_")
    return kept[:64] or "python"
