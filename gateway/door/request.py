"""A request, in the form that the proxy and weir's own routes read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.access.audit import Entry
from gateway.base_path import AT_ROOT, BasePath
from gateway.door.body import RequestBody
from gateway.door.head import Head
from gateway.door.wire import Wire
from gateway.proxy.headers import Header, values
from gateway.relay.scope import Scope

if TYPE_CHECKING:
    from gateway.access.principal import Principal


class Request:
    """One HTTP request, whose head has been read and whose body has not.

    Args:
        head: the parsed head.
        wire: the connection on which the request came.
        trusted: the peer is a proxy whose ``X-Forwarded-*`` headers are believed.
        base: the path under which weir serves everything.

    Raises:
        Refusal: the target is not under the base path.

    Attributes:
        method: the method as the client sent it.
        base: the base path, which is not in `path` and `target`.
        path: the path, percent-encoded. Log lines name the path without the query, which may
            contain a secret.
        query: the query without the question mark.
        target: the path and the query, as the client sent them after the base path.
        headers: the headers in order, spelt as the client sent them.
        http11: the client speaks HTTP/1.1 or newer, not HTTP/1.0.
        keep_alive: the client may send another request on its connection.
        expects_continue: the client waits for a ``100 Continue`` before it sends the body.
        client: the address of the connection's other end, the client or a proxy.
        trusted: the peer is a proxy whose ``X-Forwarded-*`` headers are believed.
        wire: the connection on which the request came.
        body: reads the body.
        framed_by: the header that says where the body ends; None if there is no body.
        principal: the user or token that sent the request; None before `Door` has found out, and
            on public routes.
        scope: the folders and sessions that the request may reach; None for all.
        entry: the request's line in the audit.
        note: writes the line, with the status of the answer.
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
        self.entry = Entry(self.method, self.path, self.client)
        self.note: Callable[[Entry, int | None], None] = _note_nothing

    def answered(self, status: int | None) -> None:
        """Note the answer in the audit, if the audit notes this request; the first call counts.

        Args:
            status: the HTTP status of the answer; None: there is no answer.
        """
        note, self.note = self.note, _note_nothing
        note(self.entry, status)

    def header(self, name: bytes) -> str:
        """Return the first value of the header `name` (in lower case), empty if there is none."""
        return b"".join(values(self.headers, name)[:1]).decode("latin-1")

    def forget_head(self) -> None:
        """Free the target and the headers, which an open event stream does not need for days."""
        self.target, self.query, self.headers = b"", "", []

    @property
    def trailers(self) -> list[Header]:
        """The headers after the last chunk of the body; empty until the body has been read."""
        return self.body.trailers


def _note_nothing(_entry: Entry, _status: int | None) -> None:
    """Stand for a note of a request that the audit does not have."""
