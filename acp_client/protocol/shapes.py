"""Lets only one thread at a time decode a type with msgspec for the first time.

msgspec inspects a type when it is first decoded. This runs Python code, so another thread may
decode the same type meanwhile: msgspec 0.22 then uses incomplete data, and the process ends with a
segmentation fault.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_one_at_a_time = threading.Lock()


def learned(kind: type[_T]) -> type[_T]:
    """Return `kind` once msgspec has inspected it; every type is used through this function."""
    known: Any = kind
    _learn(known)
    return kind


@cache
def _learn(kind: Any) -> None:
    with _one_at_a_time:
        msgspec.json.Decoder(kind)
