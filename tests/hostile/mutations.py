"""Bytes that are nearly right: what random edits make of bytes that are."""

import json
import random

from tests import recorded

_ODD = [
    b"\n",
    b"\r",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\",
    b'"',
    b"1e999",
    b"-",
    b"null",
    b"data:",
    b"id: 1\n",
]


def nested(levels: int) -> bytes:
    """Return JSON of so many levels."""
    return b'{"a":' * levels + b"1" + b"}" * levels


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return `data` after one to four edits."""
    for _ in range(chance.randint(1, 4)):
        data = _edited(chance, data)
    return data


def frames() -> list[bytes]:
    """Return frames of `/global/event`, one of each type that was recorded."""
    found: dict[str, bytes] = {}
    for name in ("tool_once", "plain", "permission", "question", "old-1.2.27/plain"):
        if name in recorded.scenarios():
            for data in recorded.raw_frames(name, "global"):
                found.setdefault(json.loads(data)["payload"]["type"], data)
    return list(found.values())


def _edited(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    stop = min(len(data), start + chance.randint(1, 12))
    match chance.randrange(7):
        case 0:
            return data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
        case 1:
            return data[:start] + chance.choice(_ODD) + data[start:]
        case 2:
            return data[:start] + data[stop:]
        case 3:
            return data[:stop] + data[start:]
        case 4:
            return data[:start]
        case 5:
            value = nested(chance.choice([10, 250, 300, 970, 1500, 20_000]))
            return (
                data.replace(b'"', value + b'"', 1)
                if chance.random() < 0.3
                else _filled(chance, data, value)
            )
        case _:
            return data.replace(b'"', chance.choice(_ODD), chance.randint(1, 3))


def _filled(chance: random.Random, data: bytes, value: bytes) -> bytes:
    """Put a value in the place of one after a colon."""
    places = [place for place in range(len(data)) if data[place : place + 2] == b':"']
    if not places:
        return data
    start = chance.choice(places) + 1
    stop = data.find(b'"', start + 1) + 1
    return data[:start] + value + data[stop:] if stop else data
