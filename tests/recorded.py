"""The event streams recorded from a real opencode, as Python objects.

A recording is the reply of the server byte for byte: the HTTP response head, then one
``data:`` line per event. What each scenario shows is told in ``recordings/README.md``.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent / "recordings"

Kind = Literal["event", "global"]


@cache
def scenarios() -> list[str]:
    """Names of all recordings, those of the older format as ``old-1.2.27/NAME``."""
    files = FOLDER.rglob("*.event.sse")
    return sorted(str(file.relative_to(FOLDER)).removesuffix(".event.sse") for file in files)


def raw_frames(name: str, kind: Kind) -> list[bytes]:
    """The JSON of every frame exactly as sent, without ``data: `` and the line end."""
    return frames_of((FOLDER / f"{name}.{kind}.sse").read_bytes())


def frames_of(recording: bytes) -> list[bytes]:
    """The same of a recording that is not kept here."""
    # Not splitlines(): a frame ends at LF alone, and the text inside may hold other separators.
    lines = recording.split(b"\n")
    return [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]


def events(name: str) -> list[dict[str, Any]]:
    """What ``GET /event`` sent: ``{"id"?, "type", "properties"}`` in order."""
    return [json.loads(frame) for frame in raw_frames(name, "event")]


def global_events(name: str) -> list[dict[str, Any]]:
    """What ``GET /global/event`` sent: ``{"directory"?, "project"?, "payload"}`` in order."""
    return [json.loads(frame) for frame in raw_frames(name, "global")]


def final_messages(name: str) -> list[list[dict[str, Any]]]:
    """``GET /session/{id}/message`` after the end: one list of ``{"info", "parts"}`` a session."""
    return [json.loads(file.read_bytes()) for file in _numbered(name, "message")]


def final_sessions(name: str) -> list[dict[str, Any]]:
    """``GET /session/{id}`` after the end, in the order of `final_messages`."""
    return [json.loads(file.read_bytes()) for file in _numbered(name, "session")]


def _numbered(name: str, what: str) -> list[Path]:
    return sorted(FOLDER.glob(f"{name}.{what}.*.json"))
