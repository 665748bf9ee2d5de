"""The table of all routes of the session API (opencode's API, as weir serves it natively)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.resources.route import Route
from gateway.resources.table import (
    absent,
    asks,
    descriptions,
    files,
    mcp,
    messages,
    search,
    sessions,
)

TABLE: Sequence[Route] = (
    *sessions.ROUTES,
    *messages.ROUTES,
    *asks.ROUTES,
    *descriptions.ROUTES,
    *files.ROUTES,
    *mcp.ROUTES,
    *search.ROUTES,
    *absent.ROUTES,
)
