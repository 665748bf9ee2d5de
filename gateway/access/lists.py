"""Filters the lists of an upstream, which may have items outside of a principal's scope.

1. An item is left out unless it names a folder or a session that is in the scope.
2. The upstream limits a list of sessions before weir filters it, so the number of the items that
   are left would show how many sessions outside of the scope a search has found. So weir asks for
   `_MOST_SESSIONS`, and limits the list itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header
from gateway.relay.scope import Scope

FolderOf = Callable[[str], str | None]
Asked = Callable[[str, list[Header]], tuple[int, bytes]]
_DIRECTORY, _LIMIT = b"x-opencode-directory", "limit"
_NUMBER = re.compile("[1-9][0-9]{0,8}")
_MOST_SESSIONS = 2000
_SESSIONS_AT_ONCE = 100
"""How many sessions an opencode lists if a request has no limit."""


class UpstreamLists:
    """Requests lists from an upstream, and filters them.

    Args:
        ask: sends a ``GET`` for a request target with extra headers; returns the status and the
            body, or raises a `Refusal`.
        folder_of: returns the folder of a session; None if the session does not exist.
    """

    def __init__(self, ask: Asked, folder_of: FolderOf) -> None:
        self._ask = ask
        self._folder_of = folder_of

    def of(self, target: str, headers: list[Header], scope: Scope) -> bytes:
        """Return the upstream's list at `target`, with only the items that are in a scope.

        Raises:
            Refusal: the upstream does not answer with a list.
        """
        named = [header for header in headers if header[0].lower() == _DIRECTORY]
        target, most = _unlimited(target)
        status, body = self._ask(target, named)
        if status != HTTPStatus.OK:
            words = f"the upstream answers {status} to {target.partition('?')[0]}"
            raise Refusal(status if status < 500 else 502, words)
        try:
            return kept(body, scope, self._folder_of, most)
        except ValueError as error:
            raise Refusal(502, f"the upstream's list cannot be read: {error}") from error


def _unlimited(target: str) -> tuple[str, int | None]:
    """Return the target without its limit, if it is a list of sessions, and the limit."""
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    limits = [value for name, value in pairs if name == _LIMIT and value]
    if path.rstrip("/").lower() != "/session" or not all(map(_NUMBER.fullmatch, limits)):
        return target, None
    others = [pair for pair in pairs if pair[0] != _LIMIT]
    most = min(map(int, limits), default=_SESSIONS_AT_ONCE)
    return f"{path}?{urlencode([*others, (_LIMIT, str(_MOST_SESSIONS))])}", most


def kept(body: bytes, scope: Scope, folder_of: FolderOf, most: int | None = None) -> bytes:
    """Return a JSON list or object without the items that are not in a scope.

    Args:
        body: a JSON list of sessions, permissions, questions or projects; or a JSON object whose
            keys are session ids.
        scope: the folders and sessions that the principal may see.
        folder_of: returns the folder of a session; None if the session does not exist.
        most: how many items of a list are returned; None: all.

    Raises:
        ValueError: the body is neither a JSON list nor a JSON object.
    """
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    if isinstance(found, dict):
        inside = {
            name: one for name, one in found.items() if scope.has(folder_of(str(name)), str(name))
        }
        return msgspec.json.encode(inside)
    if not isinstance(found, list):
        raise ValueError("neither a list nor an object")
    items = [_trimmed(one, scope) for one in found if _is_inside(one, scope, folder_of)]
    return msgspec.json.encode(items[:most])


def _is_inside(item: Any, scope: Scope, folder_of: FolderOf) -> bool:
    if not isinstance(item, dict):
        return False
    session, folder = item.get("sessionID"), item.get("directory")
    if isinstance(session, str):
        return scope.has(folder_of(session), session)
    if isinstance(project := item.get("worktree"), str):
        return scope.has_folder(project)
    name = item.get("id")
    is_known = isinstance(folder, str) and isinstance(name, str)
    return is_known and scope.has(folder, name)


def _trimmed(item: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Return an item without the other folders of a project that are not in the scope."""
    others = item.get("sandboxes")
    if not isinstance(others, list):
        return item
    return {**item, "sandboxes": [one for one in others if scope.has_folder(str(one))]}
