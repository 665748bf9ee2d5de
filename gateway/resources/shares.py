"""``/weir/shares`` and opencode's ``/session/{session}/share``: links for reading one session.

A share is the token in such a link.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import falcon
import msgspec
from falcon import Request, Response

from bus.commands import SessionGet
from bus.transport.requester import Requester
from gateway.access.boundary import Boundary
from gateway.access.lifetime import ALLOWED, seconds
from gateway.access.shares import LASTS, Shares, session_of
from gateway.access.token_file import StoredToken
from gateway.access.whereabouts import ID
from gateway.door.own import ENTRY, PRINCIPAL, SCOPE
from gateway.errors import BadRequest, answer_error
from gateway.resources.answer import answer
from gateway.resources.intake import BodyIntake

_SHOWN = 40


class ShareBody(msgspec.Struct):
    """The body of `POST /weir/shares`: which session to share, and for how long (``7d``)."""

    session: Annotated[str, msgspec.Meta(pattern=rf"^{ID}\Z")]
    expires: str = LASTS


_BODY = msgspec.json.Decoder(ShareBody)


class SharesRoute:
    """``/weir/shares``: lists and makes shares of the sessions that a request may reach.

    Args:
        shares: the shares of the state folder.
        boundary: knows which sessions are in a scope.
    """

    def __init__(self, shares: Shares, boundary: Boundary) -> None:
        self._shares = shares
        self._boundary = boundary
        self._intake = BodyIntake(0)

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer with the shares, without their secrets."""
        resp.cache_control = ["no-store"]
        scope = req.env[SCOPE]
        shares = self._shares.all()
        shown = [_shown(one) for one in shares if self._boundary.has(session_of(one), scope)]
        answer(resp, msgspec.json.encode(shown))

    def on_post(self, req: Request, resp: Response) -> None:
        """Make a share; its link is shown in this answer only."""
        with self._intake.small(req, _BODY) as body:
            session, lasts = body.session, body.expires
        req.env[ENTRY].session = session
        try:
            lasts_s = seconds(lasts)
        except ValueError:
            words = f"expires: {lasts[:_SHOWN]!r} is not allowed; allowed is {ALLOWED}"
            raise BadRequest(words, "Body", "expires") from None
        self._boundary.check_session(session, req.env[SCOPE])
        secret, made = self._shares.make(session, lasts_s, req.env[PRINCIPAL])
        resp.cache_control = ["no-store"]
        shown = {**_shown(made), "token": secret, "url": _link(req, session, secret)}
        answer(resp, msgspec.json.encode(shown))


class OneShare:
    """``/weir/shares/{share}``: one share."""

    def __init__(self, shares: Shares, boundary: Boundary) -> None:
        self._shares = shares
        self._boundary = boundary

    def on_delete(self, req: Request, resp: Response, share: str) -> None:
        """Revoke the share, which also ends the streams that were opened with it."""
        scope = req.env[SCOPE]
        found = [one for one in self._shares.all() if one.id == share]
        # Only this share is asked about: the server of another session may not answer now.
        req.env[ENTRY].session = "".join(map(session_of, found))
        ids = {one.id for one in found if self._boundary.has(session_of(one), scope)}
        if not ids or not self._shares.revoke(lambda one: one.id in ids):
            answer_error(resp, 404, f"there is no share {share[:_SHOWN]!r}; see GET /weir/shares")
            return
        resp.status = falcon.HTTP_204


class SessionShare:
    """opencode's routes for sharing a session; each answers with the session.

    Args:
        shares: the shares of the state folder.
        requester: sends commands to the processor.
    """

    def __init__(self, shares: Shares, requester: Requester) -> None:
        self._shares = shares
        self._requester = requester

    def on_post(self, req: Request, resp: Response, session: str) -> None:
        """Make a share; its link is shown in this answer only."""
        shown = self._session(session)
        lasts_s = seconds(LASTS)
        secret, _ = self._shares.make(session, lasts_s, req.env[PRINCIPAL])
        resp.cache_control = ["no-store"]
        answer(resp, msgspec.json.encode({**shown, "share": {"url": _link(req, session, secret)}}))

    def on_delete(self, _req: Request, resp: Response, session: str) -> None:
        """Revoke all shares of the session."""
        shown = self._session(session)
        self._shares.revoke(lambda one: session_of(one) == session)
        answer(resp, msgspec.json.encode(shown))

    def _session(self, session: str) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self._requester.call(SessionGet(session)).body)
        return found


def _shown(share: StoredToken) -> dict[str, Any]:
    shown = {"id": share.id, "session": session_of(share)}
    return {**shown, "created": share.created, "expires": share.expires}


def _link(req: Request, session: str, secret: str) -> str:
    """Return the URL of the session's page in the console, with the share's secret.

    The secret is in the fragment, which browsers send to no server. The host is taken from the
    request's headers, which is safe, since only the sender of the request gets the answer.
    """
    server = f"{req.forwarded_scheme}://{req.forwarded_host}{req.root_path}"
    return f"{server}/weir/console/sessions/{quote(session, '')}#token={secret}"
