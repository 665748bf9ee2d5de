"""Which web pages may call a gateway (CORS).

These are pages on localhost, opencode's desktop apps and web sites, the origins in ``--cors``, and
in front of an opencode the origins that this upstream allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from falcon import Request, Response

from gateway.proxy.origins import UpstreamOrigins

_ALWAYS = re.compile(
    r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
    r"|oc://renderer|tauri://localhost|https?://tauri\.localhost"
    r"|https://([a-z0-9-]+\.)*opencode\.ai"
)
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_MAX_AGE_S = "86400"


class Cors:
    """Falcon middleware: answers CORS preflights, and adds headers that let a page read answers.

    Args:
        extra: the origins in ``--cors``, as ``https://host[:port]``.
        upstream: finds out which origins the upstream allows; None without an upstream.
        elsewhere: returns the origins that the upstream allows, as other workers have found out.
    """

    def __init__(
        self,
        extra: Iterable[str] = (),
        upstream: UpstreamOrigins | None = None,
        elsewhere: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._extra = frozenset(extra)
        self._upstream = upstream
        self._elsewhere = elsewhere

    def allows(self, origin: str) -> bool:
        """Return whether pages of `origin` may call, as far as weir knows; does not block."""
        if self._always(origin) or self._upstream is None:
            return self._always(origin)
        return self._upstream.allows(origin) or origin in self._elsewhere()

    def may_call(self, origin: str) -> bool:
        """Return whether pages of `origin` may call; if unknown, ask the upstream and wait."""
        self._learn(origin)
        return self.allows(origin)

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the CORS headers of an answer to a page of `origin`; None: not from a page.

        ``Vary`` is always added: a cache must not give an answer for one origin to another origin.
        """
        vary = [("Vary", "Origin")]
        if origin is None or not self.allows(origin):
            return vary
        return [*vary, ("Access-Control-Allow-Origin", origin)]

    def process_request(self, req: Request, resp: Response) -> None:
        """Answer a preflight before Falcon routes it, since a route may not allow OPTIONS."""
        allowed = self.may_call(req.get_header("Origin", default=""))
        if req.method != "OPTIONS" or req.get_header("Access-Control-Request-Method") is None:
            return
        resp.status = 204
        resp.complete = True
        resp.append_header("Vary", "Access-Control-Request-Headers")
        if allowed:
            _permit(req, resp)

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        """Add the CORS headers to every answer."""
        for name, value in self.headers(req.get_header("Origin")):
            if name == "Vary":
                resp.append_header(name, value)
            else:
                resp.set_header(name, value)

    def _always(self, origin: str) -> bool:
        return origin in self._extra or _ALWAYS.fullmatch(origin) is not None

    def _learn(self, origin: str) -> None:
        """Find out whether the upstream allows an origin, unless this is known already."""
        if not origin or self._upstream is None or self._always(origin):
            return
        if not self._upstream.allows(origin) and origin in self._elsewhere():
            self._upstream.note(origin, True)
        self._upstream.look_up(origin)


def _permit(req: Request, resp: Response) -> None:
    resp.set_header("Access-Control-Allow-Methods", _METHODS)
    resp.set_header("Access-Control-Max-Age", _MAX_AGE_S)
    if req.get_header("Access-Control-Request-Private-Network") == "true":
        resp.set_header("Access-Control-Allow-Private-Network", "true")
    asked = req.get_header("Access-Control-Request-Headers")
    if asked:
        resp.set_header("Access-Control-Allow-Headers", asked)
