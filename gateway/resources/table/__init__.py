"""Every route of the session API, one row each."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.resources.route import Route
from gateway.resources.table import absent, asks, descriptions, messages, sessions

TABLE: Sequence[Route] = (
    *sessions.ROUTES,
    *messages.ROUTES,
    *asks.ROUTES,
    *descriptions.ROUTES,
    *absent.ROUTES,
)
