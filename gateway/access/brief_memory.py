"""Remembers answers of another server for a few seconds, so that not each request asks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 4096


class BriefMemory:
    """Answers to questions about names.

    Args:
        ask: returns the answer about a name; None: the name is unknown, which is not remembered.
            Its exceptions are passed on to the caller.
        lasts_s: how many seconds an answer is used.
    """

    def __init__(self, ask: Callable[[str], str | None], lasts_s: float) -> None:
        self._ask = ask
        self._lasts_s = lasts_s
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def of(self, name: str) -> str | None:
        """Return the answer about a name; None if the name is unknown."""
        answer, until = self._known.get(name, (None, 0.0))
        asked_at = time.monotonic()
        if asked_at < until:
            return answer
        answer = self._ask(name)
        self._known.pop(name, None)
        if answer is not None:
            self._known[name] = answer, asked_at + self._lasts_s
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return answer
