"""The messages of a session from before its stream was opened, for `weir tail`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from acp_client.api.server import Server, ServerFailure, ServerRefused
from bus.origin import Origin
from deploy.transcript.transcript import Transcript

_MOST = 100
_OWN_IDS = "ses"


class NoSession(Exception):
    """The session does not exist."""


class Past:
    """Fetches the messages of one session.

    Args:
        origin: the server.
        session: id of the session; None: fetch nothing.
        directory: the folder of the session, if it was given.
    """

    def __init__(self, origin: Origin, session: str | None, directory: str | None) -> None:
        self._server = Server(origin)
        self._session = session
        self._directory = directory or ""
        self._is_known = False

    def since_last_time(
        self, transcript: Transcript, resumed: bool | None, notice: Callable[[str], None]
    ) -> Iterator[str]:
        """Yield the messages that the newly opened stream will not bring.

        Args:
            transcript: formats the messages, and knows which are already printed.
            resumed: of the ``server.connected`` event.
            notice: called with a message if the server does not return everything.

        Raises:
            NoSession: the server does not have the session.
        """
        # On a stream that is opened again, weir itself sends what has changed since the last
        # event.
        if self._session is None or (self._is_known and resumed is not None):
            return
        try:
            yield self._fetched(transcript, f"/session/{quote(self._session, '')}", notice)
        except ServerFailure as failure:
            if isinstance(failure, ServerRefused) and self._is_missing(failure.status):
                where = f"session {self._session!r} does not exist at {self._server.origin}"
                raise NoSession(where) from None
            notice(f"the earlier messages cannot be fetched: {failure}")

    def _fetched(self, transcript: Transcript, path: str, notice: Callable[[str], None]) -> str:
        info = self._server.get(path, dict[str, Any], self._directory)
        self._is_known = True
        messages = self._server.get(
            f"{path}/message", list[dict[str, Any]], self._directory, limit=_MOST + 1
        )
        if len(messages) > _MOST:
            notice(f"only the last {_MOST} messages of the session are shown")
        return transcript.history(info, messages[-_MOST:])

    def _is_missing(self, status: int) -> bool:
        """Return whether a status means that; opencode fails on an id that is not in its form."""
        no = status in (400, 404) or not (self._session or "").startswith(_OWN_IDS)
        return no and not self._is_known
