"""Fetches the earlier messages of a session, which `weir tail --session` prints first."""

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
    """The session of ``--session`` does not exist on the server."""


class Past:
    """Fetches the messages of one session from before the event stream was opened.

    Args:
        origin: the address of the server, and the login to send.
        session: the id of the session; None: nothing is fetched.
        directory: the folder of the session; None: it was not given.
    """

    def __init__(self, origin: Origin, session: str | None, directory: str | None) -> None:
        self._server = Server(origin)
        self._session = session
        self._directory = directory or ""
        self._is_known = False

    def since_last_time(
        self, transcript: Transcript, resumed: bool | None, notice: Callable[[str], None]
    ) -> Iterator[str]:
        """Yield the text of the messages that a stream, which was just opened, does not repeat.

        Args:
            transcript: formats the messages, and knows which of them are printed already.
            resumed: the property `resumed` of the stream's ``server.connected`` event.
            notice: called with a message for the user if not all messages can be shown.

        Raises:
            NoSession: the session does not exist on the server.
        """
        # A weir sends `resumed`. On a stream that is opened again, weir itself sends what was
        # missed, so messages are fetched only for the first stream, and for an opencode.
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
        """Return whether an error's status means that the session does not exist.

        opencode answers 500 instead of 404 if the id does not begin as its own ids do.
        """
        no = status in (400, 404) or not (self._session or "").startswith(_OWN_IDS)
        return no and not self._is_known
