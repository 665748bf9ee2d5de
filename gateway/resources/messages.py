"""Messages of a session: read in pages, and prompted for."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from falcon import Request, Response

from bus.commands import MessageGet, MessageList
from bus.requester import Requester
from gateway.errors import BadRequest
from gateway.resources.answer import answer
from gateway.resources.query import integer
from gateway.resources.turns import answer_of, prompt_of, start_turn

_MAX_LIMIT = 10_000


class Messages:
    """``/session/{id}/message``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response, session: str) -> None:
        """Answer the newest ``limit`` messages ``before`` a cursor, oldest first."""
        limit = integer(req, "limit", 1, _MAX_LIMIT)
        before = req.get_param("before") or None
        if before is not None and limit is None:
            raise BadRequest("before: needs limit beside it", "Query", "before")
        done = self._requester.call(MessageList(session, limit, before))
        if done.cursor is not None:
            _lead_to(req, resp, done.cursor)
        answer(resp, done.body)

    def on_post(self, req: Request, resp: Response, session: str) -> None:
        """Run a turn and answer when it is over; it goes on if the client does not wait."""
        prompt = prompt_of(req)
        message = start_turn(self._requester, session, prompt)
        if prompt.noReply:
            done = self._requester.call(MessageGet(session, message))
        else:
            done = answer_of(self._requester, session, message)
        answer(resp, done.body)


class Message:
    """``/session/{id}/message/{id}``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response, session: str, message: str) -> None:
        """Answer the message and its parts."""
        answer(resp, self._requester.call(MessageGet(session, message)).body)


def _lead_to(req: Request, resp: Response, cursor: str) -> None:
    """Say where the page before is, and let web pages read it."""
    query = urlencode({**req.params, "before": cursor}, doseq=True)
    resp.set_header("X-Next-Cursor", cursor)
    resp.append_header("Link", f'<{req.prefix}{quote(req.path)}?{query}>; rel="next"')
    resp.set_header("Access-Control-Expose-Headers", "Link, X-Next-Cursor")
