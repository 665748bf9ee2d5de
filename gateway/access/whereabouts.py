"""Finds the folder of a session: in the known events, or by a request to the session's server.

A ledger has the known state of a source (a processor or upstream), built from its events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bus.events import ENTITIES
from bus.events.catalogue import SESSION
from bus.ledger import Ledger
from gateway.access.brief_memory import BriefMemory

_FRESH_S = 5.0
ID = "[A-Za-z0-9_-]{1,128}"
"""The pattern of ids that may be sessions."""
IS_ID = re.compile(ID)
_WHOLE = (SESSION.name, "")
_ASKS = frozenset(kind.name for kind in ENTITIES.values() if kind.asks)


class Whereabouts:
    """Finds the folders of sessions, and the sessions of permission requests and questions.

    Args:
        ledgers: the ledgers of all sources.
        ask: requests the folder of a session from the processor or the upstream; returns None if
            the session does not exist. Its exceptions are passed on to the caller.
    """

    def __init__(self, ledgers: Mapping[str, Ledger], ask: Callable[[str], str | None]) -> None:
        self._ledgers = ledgers
        self._asked = BriefMemory(ask, _FRESH_S)

    def folder(self, session: str) -> str | None:
        """Return the folder of a session; None if the session does not exist.

        The id may become part of a path of the upstream. So only the characters of ids are
        allowed.
        """
        if not IS_ID.fullmatch(session):
            return None
        noted = self._noted(session)
        return self._asked.of(session) if noted is None else noted

    def session_of_ask(self, request: str) -> str | None:
        """Return the session of a permission request or question that waits; None if unknown."""
        for ledger in self._ledgers.values():
            for session, known in ledger.sessions.items():
                if any((kind, request) in known.entries for kind in _ASKS):
                    return session
        return None

    def _noted(self, session: str) -> str | None:
        for ledger in self._ledgers.values():
            known = ledger.sessions.get(session)
            if known is not None and known.entries:
                entry = known.entries.get(_WHOLE) or next(reversed(known.entries.values()))
                return entry.snapshot.directory
        return None
