"""The connection between an agent's process and weir: output goes out, prompts come in."""

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
    """The connection of one agent to weir; one thread sends its output, one receives its prompts.

    The constructor waits until weir has answered. A ``with`` block sends everything at its end,
    and then closes the connection.

    Args:
        url: the URL of weir, with or without ``USER:PASSWORD@``.
        name: the name of the agent. If two processes connect with the same name, only the process
            that connected last continues; the other process gets the error `Fenced`.
        on_prompt: called with the turn of each prompt that people send to this agent. The
            function must return at once, because it is called in the thread that receives. None:
            the agent answers no prompts, and only runs turns that it begins by itself.
        patient: try to reach weir without a time limit; False: give up after 60 seconds.

    Attributes:
        server: the client for weir's REST routes.
        name: the name of the agent.

    Raises:
        WeirError: weir does not answer in time, or refuses the connection.
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
            raise self._failure or Unreachable(
                f"{self.server.url}: weir does not answer within {_CONNECT_S:g} s; "
                "check the URL, and that weir runs there"
            )

    def session(
        self,
        id: str | None = None,
        *,
        directory: str = ".",
        title: str | None = None,
        **fields: Any,
    ) -> Session:
        """Return an existing session, or create a session.

        Args:
            id: the id of an existing session; None: create a session.
            directory: the folder of the new session; a relative path starts at the working folder
                of this process.
            title: the title of the new session.
            fields: more fields for the request ``POST /session``, for example ``metadata``.

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
        """Make a turn, and pass aborts and replies that weir sends for the turn to it.

        Raises:
            WeirError: the connection has failed for good.
        """
        if self._outbox is None or self._failure is not None:
            raise self._failure or WeirError(
                f"agent {self.name!r} cannot begin a turn: its connection to {self.server.url} "
                "is not open; connect again"
            )
        turn = Turn(session, name, self._outbox, prompt, begun)
        with self._lock:
            self._turns[name] = turn
        return turn

    def forget(self, turn: Turn) -> None:
        """Stop passing aborts and replies to a turn, because the turn has ended."""
        with self._lock:
            self._turns.pop(turn.name, None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the client is closed, and then return True; after `timeout_s`, return False.

        Raises:
            WeirError: the connection has failed for good; the message says why.
        """
        failed = self._failed.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return failed

    def close(self) -> None:
        """Send all output that still waits, and close the connection.

        Raises:
            Unreachable: weir has not saved all output within ten seconds.
        """
        left = 0 if self._outbox is None else self._outbox.close(_CLOSE_S)
        self._inbox.close()
        self._failed.set()
        if left and self._failure is None:
            raise Unreachable(
                f"{self.server.url}: weir has not saved the last {left} lines of output within "
                f"{_CLOSE_S:g} s; these lines are lost"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection; an exception of the ``with`` block is raised further."""
        try:
            self.close()
        except WeirError:
            if error is None:
                raise

    def __enter__(self) -> Self:
        """Return the client; the constructor has already connected it."""
        return self

    # The functions from here on are called by the inbox, in the inbox's thread.

    def _opened(self, ready: Mapping[str, Any], asked_at: float) -> None:
        if self._outbox is None:
            self._outbox = Outbox(self.server, self._path, ready["epoch"], self._fail)
            self._ready.set()
            return
        # This stream was opened again after a cut. weir's message that a turn was stopped is lost
        # if the process of weir that sends it was killed. So each turn that weir had accepted
        # before this request, and that weir does not list as running, has ended.
        with self._lock:
            begun = [turn for turn in self._turns.values() if turn.begun_at < asked_at]
        lost = [turn for turn in begun if turn.name not in ready["turns"]]
        for turn in lost:
            turn.stop("weir has ended the turn while the agent was not connected to weir")

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
    """Connect an agent that begins its turns by itself, and wait until weir has answered.

    Args:
        url: the URL of weir, with or without ``USER:PASSWORD@``.
        name: the name of the agent; default: the name of the running script.

    Raises:
        WeirError: weir does not answer, or refuses the connection.
    """
    return Client(url, script_name() if name is None else name)


def script_name() -> str:
    """Return the running script's name as an agent's name; other characters become ``-``."""
    stem = Path(sys.argv[0] if sys.argv else "").stem
    kept = "".join(letter if letter in _ALLOWED else "-" for letter in stem).strip(".-_")
    return kept[:64] or "python"
