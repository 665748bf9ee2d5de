"""Removes items outside of a request's scope from answers with items of several folders."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.relay.scope import Scope


def in_scope(body: bytes, field: str, scope: Scope) -> bytes:
    """Return an answer without the items that are not in a scope.

    Args:
        body: the answer as JSON; each item names its folder and session, or is a session, a folder
            or a project.
        field: the field with the list of items; empty if the answer itself is the list.
        scope: the folders and sessions that the request may reach.
    """
    answer = msgspec.json.decode(body)
    items = answer[field] if field else answer
    kept = [one for one in items if _has(scope, one)]
    return msgspec.json.encode({**answer, field: kept} if field else kept)


def _has(scope: Scope, item: dict[str, Any]) -> bool:
    if "worktree" in item:
        return scope.has_folder(item["worktree"])
    place = item.get("location") or item
    return scope.has(place.get("directory"), item.get("sessionID") or item.get("id"))
