"""Lets one thread at a time decode a type with msgspec for the first time.

msgspec inspects a type when the type is first decoded. That runs Python code, so another thread
may decode the same type in between: msgspec 0.22 then uses half-made information, and the process
ends by a segmentation fault.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_one_at_a_time = threading.Lock()


def learned(kind: type[_T]) -> type[_T]:
    """Return `kind` when msgspec knows all of it; every read of a type goes through here."""
    known: Any = kind
    _learn(known)
    return kind


@cache
def _learn(kind: Any) -> None:
    with _one_at_a_time:
        msgspec.json.Decoder(kind)
