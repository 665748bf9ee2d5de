"""Prevents that two threads decode a type with msgspec for the first time at once.

msgspec inspects a type when it decodes the type for the first time. The inspection runs Python
code, so another thread may decode the same type meanwhile: msgspec 0.22 then uses incomplete data,
and the process ends with a segmentation fault.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_one_at_a_time = threading.Lock()


def learned(kind: type[_T]) -> type[_T]:
    """Have msgspec inspect a type, unless it has, and return the type.

    Every type that threads decode must be passed through this function first.
    """
    known: Any = kind
    _learn(known)
    return kind


@cache
def _learn(kind: Any) -> None:
    with _one_at_a_time:
        msgspec.json.Decoder(kind)
