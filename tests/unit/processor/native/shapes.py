"""What happens in a turn, in words."""

import itertools
from typing import Any


def shapes(events: list[dict[str, Any]]) -> list[str]:
    """What happens in a turn, in words; what opencode does beside the turn is left out."""
    said = [words for event in events if (words := shape(event))]
    busy = "session.status busy"
    first_busy = said.index(busy) if busy in said else 0
    kept = [w for i, w in enumerate(said) if w != busy or i == first_busy]
    return [words for words, _ in itertools.groupby(kept)]


def shape(event: dict[str, Any]) -> str:
    kind, properties = event["type"], event["properties"]
    if kind == "session.status":
        return f"{kind} {properties['status']['type']}"
    if kind == "session.error":
        return f"{kind} {properties['error']['name']}"
    if kind == "message.part.updated":
        part = properties["part"]
        ended = " ended" if "end" in part.get("time", {}) else ""
        text = " empty" if part.get("text") == "" else ""
        return f"{kind} {part['type']}{text}{ended} {part.get('reason', '')}".strip()
    if kind == "message.updated":
        info = properties["info"]
        if "summary" in info:
            return ""
        whole = " completed" if "completed" in info["time"] else ""
        error = info.get("error", {}).get("name", "")
        return f"{kind} {info['role']} {info.get('finish', '')}{whole} {error}".strip()
    return kind if kind in ("message.part.delta", "session.idle") else ""
