"""The changes that the tools of a session have made to files: a job that `Database` runs.

A tool that changes a file reports the change in ``metadata.filediff`` of the tool call's part.
"""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import UNSET

from bus.events.session import FileDiff

MOST_PATCH_BYTES = 1024 * 1024
"""The most bytes of all patches in one list; the files after that have only their line counts."""

_decode = msgspec.json.Decoder(FileDiff).decode


def of_session(db: sqlite3.Connection, session: str, prompt: str | None) -> list[FileDiff]:
    """Return one `FileDiff` for each file that a session, or the answers to `prompt`, changed.

    The patches of one file are joined, the oldest first.
    """
    rows = db.execute(
        "SELECT json_extract(CAST(p.json AS TEXT), '$.state.metadata.filediff') FROM message m "
        "JOIN part p ON p.message = m.id AND p.type = 'tool' "
        "WHERE m.session = ?1 AND (?2 IS NULL OR m.parent = ?2) ORDER BY m.created, m.id, p.id",
        (session, prompt),
    )
    found: dict[str, FileDiff] = {}
    left = MOST_PATCH_BYTES
    for (json,) in rows:
        if json is None:
            continue
        try:
            change = _decode(json)
        except msgspec.MsgspecError:  # an agent of the user may write any JSON there
            continue
        patch = change.patch or ""
        left -= len(patch.encode("utf-8", "surrogatepass"))
        _add(found, change, patch if left >= 0 else "")
    return list(found.values())


def _add(found: dict[str, FileDiff], change: FileDiff, patch: str) -> None:
    name = change.file or ""
    known = found.get(name)
    if known is None:
        change.patch = patch or UNSET
        found[name] = change
        return
    known.additions += change.additions
    known.deletions += change.deletions
    known.patch = f"{known.patch or ''}{patch}" or UNSET
