"""What of an answer is in the scope of a request: for routes whose items may be of any folder."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.relay.scope import Scope


def in_scope(body: bytes, field: str, scope: Scope) -> bytes:
    """Return an answer without the items that are not in a scope.

    Args:
        body: JSON. Each item says its folder and its session, or is a session itself.
        field: has the list of items; empty if the answer itself is the list.
        scope: of the request.
    """
    answer = msgspec.json.decode(body)
    items = answer[field] if field else answer
    kept = [one for one in items if _has(scope, one)]
    return msgspec.json.encode({**answer, field: kept} if field else kept)


def _has(scope: Scope, item: dict[str, Any]) -> bool:
    place = item.get("location") or item
    return scope.has(place.get("directory"), item.get("sessionID") or item["id"])
