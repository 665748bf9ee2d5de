"""Which web pages may call a gateway: local pages, the desktop apps, opencode's own, and lists.

The lists are ``--cors``, and in relay mode the origins that the upstream allows.
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
    """Falcon middleware: answers preflights, and adds the headers that let a page read an answer.

    Args:
        extra: more allowed origins, as ``https://host[:port]``.
        upstream: knows which origins the upstream allows; None natively.
        elsewhere: returns allowed origins of the upstream that other workers have found out.
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
        """Return whether pages of `origin` may call, as far as is known. Does not block."""
        if self._always(origin) or self._upstream is None:
            return self._always(origin)
        return self._upstream.allows(origin) or origin in self._elsewhere()

    def may_call(self, origin: str) -> bool:
        """Return whether pages of `origin` may call; ask the upstream if weir does not know."""
        self._learn(origin)
        return self.allows(origin)

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the headers to add to any answer to `origin`.

        ``Vary`` is always added: a cache must not serve one origin the answer for another.
        """
        vary = [("Vary", "Origin")]
        if origin is None or not self.allows(origin):
            return vary
        return [*vary, ("Access-Control-Allow-Origin", origin)]

    def process_request(self, req: Request, resp: Response) -> None:
        """Answer a preflight before it is routed: the route may not have OPTIONS."""
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
        """Add `headers` to every answer."""
        for name, value in self.headers(req.get_header("Origin")):
            if name == "Vary":
                resp.append_header(name, value)
            else:
                resp.set_header(name, value)

    def _always(self, origin: str) -> bool:
        return origin in self._extra or _ALWAYS.fullmatch(origin) is not None

    def _learn(self, origin: str) -> None:
        """Find out whether the upstream allows an origin, if it is not known."""
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
