"""A request, in the form for the proxy and for weir's own routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.base_path import AT_ROOT, BasePath
from gateway.door.body import RequestBody
from gateway.door.head import Head
from gateway.door.wire import Wire
from gateway.proxy.headers import Header, values
from gateway.relay.scope import Scope

if TYPE_CHECKING:
    from gateway.access.principal import Principal


class Request:
    """One request.

    Args:
        head: of the request.
        wire: the connection it came on.
        trusted: the peer is a proxy whose statements about the request's origin count.
        base: where weir serves.

    Raises:
        Refusal: the target is not under the base path.

    Attributes:
        method: as it came.
        base: the base path, which is not in `path` and `target`.
        path: percent-encoded, without the query, which may contain a secret.
        query: without the question mark.
        target: the path and the query, as the client sent them behind the base path.
        headers: in order, spelt as they came.
        http11: the client speaks HTTP/1.1.
        keep_alive: the client may send another request on its connection.
        expects_continue: the client waits for a 100 before it sends the body.
        client: the client's address.
        trusted: the peer is a proxy whose statements about the request's origin count.
        wire: the connection.
        body: yet to be read.
        framed_by: the header that frames the body, None if there is no body.
        principal: whose the request is; None before the door has judged, and where that does not
            matter.
        scope: the folders and sessions that the request may reach; None for all.
    """

    def __init__(
        self, head: Head, wire: Wire, trusted: bool = False, base: BasePath = AT_ROOT
    ) -> None:
        self.method = head.method
        self.base = base.path
        self.target = base.inside(head.target)
        path, _, query = self.target.partition(b"#")[0].partition(b"?")
        self.path = path.decode("ascii")
        self.query = query.decode("ascii")
        self.headers = head.headers
        self.http11 = head.http11
        self.keep_alive = head.keep_alive
        self.expects_continue = head.expects_continue
        self.client = wire.address or "unknown"
        self.trusted = trusted
        self.wire = wire
        self.body = RequestBody(wire, head)
        self.framed_by = self.body.framed_by
        self.principal: Principal | None = None
        self.scope: Scope | None = None

    def header(self, name: bytes) -> str:
        """Return the first value of the header `name` (in lower case), empty if there is none."""
        return b"".join(values(self.headers, name)[:1]).decode("latin-1")

    def forget_head(self) -> None:
        """Free the data that only the start of an answer needs: a stream may last for days."""
        self.target, self.query, self.headers = b"", "", []

    @property
    def trailers(self) -> list[Header]:
        """The headers after the last chunk; known once the body has been read."""
        return self.body.trailers
