"""A dictionary of bounded size, for the state of sessions, messages and parts."""

from __future__ import annotations

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class BoundedDict(dict[_K, _V]):
    """A dictionary of bounded size: when it is full, a new entry replaces the oldest entry."""

    MOST = 4096

    def __setitem__(self, key: _K, value: _V) -> None:
        super().__setitem__(key, value)
        if len(self) > self.MOST:
            del self[next(iter(self))]
