"""Routes of features that weir does not have.

Clients of opencode request some of these routes when they start, and fail without an answer. Where
an empty answer is true (such as no language servers), weir gives it. All other routes are refused,
with the name of the feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.resources.route import Method, Route

_EMPTY = {
    "/skill": b"[]",
    "/lsp": b"[]",
    "/formatter": b"[]",
    "/find/symbol": b"[]",
    "/provider/auth": b"{}",
    "/experimental/capabilities": b'{"backgroundSubagents":false}',
    "/experimental/console": b'{"consoleManagedProviders":[],"switchableOrgCount":0}',
    "/experimental/console/orgs": b'{"orgs":[]}',
    "/experimental/resource": b"{}",
    "/experimental/workspace": b"[]",
    "/experimental/workspace/adapter": b"[]",
    "/experimental/workspace/status": b"[]",
    "/experimental/worktree": b"[]",
    "/pty": b"[]",
    "/pty/shells": b"[]",
    "/api/health": b'{"healthy":true}',
}
_REFUSED: Sequence[tuple[Method, str, str]] = (
    ("PATCH", "/project/{project}", "weir keeps no names and no icons of projects"),
    ("POST", "/pty", "weir has no terminals; POST /session/{id}/shell runs a command"),
    ("POST", "/experimental/workspace", "weir has no workspaces; a directory is enough"),
    ("POST", "/experimental/worktree", "weir makes no worktrees; use git worktree add"),
)

ROUTES: Sequence[Route] = (
    *(
        Route(
            method="GET",
            path=path,
            words="Always the same: weir has none of these.",
            fixed=body,
            answer=list[Any] if body == b"[]" else dict[str, Any],
        )
        for path, body in _EMPTY.items()
    ),
    *(
        Route(method=method, path=path, words="Refused.", refused=words)
        for method, path, words in _REFUSED
    ),
)
