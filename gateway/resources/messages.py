"""Messages of a session: read in pages, and prompted for."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from falcon import Request, Response

from bus.commands import MessageGet, MessageList
from bus.transport.requester import Requester
from gateway.errors import BadRequest
from gateway.resources.courier import Courier
from gateway.resources.intake import BodyIntake
from gateway.resources.query import integer
from gateway.resources.turns import PROMPT, answer_of, start_turn

_MAX_LIMIT = 10_000


class MessagesRoute:
    """``/session/{id}/message``."""

    def __init__(self, requester: Requester, courier: Courier, intake: BodyIntake) -> None:
        self._requester = requester
        self._courier = courier
        self._intake = intake

    def on_get(self, req: Request, resp: Response, session: str) -> None:
        """Answer the newest ``limit`` messages ``before`` a cursor, oldest first."""
        limit = integer(req, "limit", 1, _MAX_LIMIT)
        before = req.get_param("before") or None
        if before is not None and limit is None:
            raise BadRequest("before: not allowed without limit", "Query", "before")
        done = self._courier.ask(MessageList(session, limit, before))
        if done.cursor is not None:
            _lead_to(req, resp, done.cursor)
        self._courier.deliver(req, resp, done)

    def on_post(self, req: Request, resp: Response, session: str) -> None:
        """Run a turn and answer when it is over; it goes on if the client does not wait."""
        with self._intake.prompt(req, PROMPT) as prompt:
            message = start_turn(self._requester, session, prompt)
            no_reply = prompt.noReply
            del prompt
        if no_reply:
            done = self._courier.ask(MessageGet(session, message))
        else:
            done = answer_of(self._courier, session, message)
        self._courier.deliver(req, resp, done)


class MessageRoute:
    """``/session/{id}/message/{id}``."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def on_get(self, req: Request, resp: Response, session: str, message: str) -> None:
        """Answer the message and its parts."""
        self._courier.deliver(req, resp, self._courier.ask(MessageGet(session, message)))


def _lead_to(req: Request, resp: Response, cursor: str) -> None:
    """Say where the page before is, and let web pages read it."""
    query = urlencode({**req.params, "before": cursor}, doseq=True)
    resp.set_header("X-Next-Cursor", cursor)
    # Without a host: what the client has written into Host may lead anywhere.
    path = quote("/" + req.path.lstrip("/"))
    resp.append_header("Link", f'<{path}?{query}>; rel="next"')
    resp.set_header("Access-Control-Expose-Headers", "Link, X-Next-Cursor")
