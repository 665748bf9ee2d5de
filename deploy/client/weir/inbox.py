"""Receives what weir sends to an agent: prompts, aborts, and people's replies ("work items").

They arrive on one long HTTP response, which is requested again after each cut.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from weir.errors import Fenced, Refused, Unreachable, WeirError
from weir.weir_api import SILENT_S, Passing, WeirApi, failure

_PATIENCE_S = 60.0
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0

Work = dict[str, Any]


class Inbox:
    """Receives work items (prompts, aborts, people's replies) in a thread that it starts.

    Args:
        server: the connection settings of weir.
        path: the path of the agent's route, ``/weir/agents/NAME``.
        on_work: called with each work item, once and in order; must return at once, because it
            is called in the thread that receives.
        on_ready: called each time that a stream begins, with weir's first message on the stream
            and the time at which the stream was requested (`time.monotonic`).
        on_failure: called once, when no more work items will come, with the reason.
        prompts: True: ask weir for people's prompts too; False: only for aborts and replies.
        patient: try to reach weir without a time limit; False: give up after 60 seconds.
    """

    def __init__(
        self,
        server: WeirApi,
        path: str,
        on_work: Callable[[Work], None],
        on_ready: Callable[[Work, float], None],
        on_failure: Callable[[WeirError], None],
        prompts: bool,
        patient: bool,
    ) -> None:
        self._server = server
        self._path = path
        self._on_work = on_work
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._prompts = prompts
        self._patient = patient
        self._epoch: int | None = None
        self._after = 0
        self._heard, self._asked_at = False, 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weir-inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop receiving: weir's next message is dropped, and the thread ends."""
        self._closed.set()

    def _run(self) -> None:
        pause_s, until = _PAUSE_S, time.monotonic() + _PATIENCE_S
        while not self._closed.is_set():
            try:
                self._follow()
                why = "weir keeps ending the stream of prompts and aborts"
            except Passing as error:
                why = str(error)
            except (Refused, Fenced) as error:
                self._on_failure(error)
                return
            except Exception as error:
                self._on_failure(
                    WeirError(
                        f"{self._server.url}: the agent receives no more prompts and aborts, "
                        f"because reading them has failed with {error!r}; restart the agent"
                    )
                )
                raise
            if self._heard:
                pause_s, until = _PAUSE_S, time.monotonic() + _PATIENCE_S
            if time.monotonic() > until and not self._patient:
                self._on_failure(
                    Unreachable(
                        f"{self._server.url}: the agent has not reached weir for "
                        f"{_PATIENCE_S:g} s: {why}"
                    )
                )
                return
            self._closed.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _follow(self) -> None:
        self._heard = False
        query = f"?after={self._after}&prompts={'true' if self._prompts else 'false'}"
        if self._epoch is not None:
            query += f"&epoch={self._epoch}"
        self._asked_at = time.monotonic()
        with contextlib.closing(self._server.connection(SILENT_S)) as connection:
            for data in self._server.lines(connection, "GET", self._path + query):
                if self._closed.is_set():
                    return
                self._take(json.loads(data))

    def _take(self, said: Work) -> None:
        self._heard = True
        if said["type"] == "ready":
            self._epoch = said["epoch"]
            self._on_ready(said, self._asked_at)
        elif said["type"] == "failed":
            raise failure(said["status"], said["message"])
        elif "number" in said and said["number"] > self._after:
            self._after = said["number"]
            self._on_work(said)
