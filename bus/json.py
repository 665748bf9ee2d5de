"""JSON as opencode writes it, which may contain half a surrogate pair; msgspec refuses that.

Every function tries msgspec first, and falls back to the standard library, which accepts it.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bus import depth

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def decode(data: bytes) -> Any:
    """Return the value of the JSON in `data`.

    Raises:
        ValueError: `data` is not JSON, or is nested too deep.
    """
    depth.check(data, depth.EVENT_LEVELS)
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(data)


def encode(value: Any) -> bytes:
    """Return the JSON of `value`, on one line."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def digest(value: Any) -> int:
    """Return a number that is equal for equal values, whatever the order of their keys."""
    try:
        return hash(_encode_sorted(value))
    except UnicodeEncodeError:
        return hash(json.dumps(value, sort_keys=True))


def well_formed(text: str) -> str:
    """Return text that UTF-8 can encode: surrogate pairs joined, halves replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def mended(data: bytes) -> bytes:
    """Return JSON that msgspec accepts: no escape in it means half a surrogate pair.

    Raises:
        ValueError: `data` is not JSON in UTF-8, or is nested too deep.
    """
    depth.check(data, depth.EVENT_LEVELS)
    return well_formed(json.dumps(json.loads(data.decode()), ensure_ascii=False)).encode()
