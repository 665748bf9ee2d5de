"""Where two JSON values differ, for those who have to find out why."""

from typing import Any

_BRIEF = 200


def difference(held: Any, stored: Any, where: str = "messages") -> str:
    """Say in words where two JSON values differ first; empty if they do not."""
    if isinstance(held, dict) and isinstance(stored, dict) and held.keys() == stored.keys():
        inner = (difference(held[key], stored[key], f"{where}.{key}") for key in held)
        return next(filter(None, inner), "")
    if isinstance(held, list) and isinstance(stored, list) and len(held) == len(stored):
        pairs = enumerate(zip(held, stored, strict=True))
        inner = (difference(one, other, f"{where}[{n}]") for n, (one, other) in pairs)
        return next(filter(None, inner), "")
    return "" if held == stored else f"{where}: {_brief(held)}, stored is {_brief(stored)}"


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) < _BRIEF else f"{text[:90]}…{text[-90:]} ({len(text)} characters)"
