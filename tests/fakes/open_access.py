"""The judge of a door that asks for no identity, as of a weir on a machine of one user."""

from collections.abc import Callable

from gateway.access.access import Access
from gateway.access.audit import Audit
from gateway.access.boundary import Boundary
from gateway.access.cookies import Cookies
from gateway.access.identity import Identity
from gateway.access.limits import PrincipalLimits
from gateway.access.people.trusted_header import TrustedHeader
from gateway.access.rules import Rules
from gateway.access.whereabouts import Whereabouts
from gateway.cors import Cors
from gateway.door.networks import Networks


def open_access(
    identity: Identity | None = None,
    cors: Cors | None = None,
    audit: Audit | None = None,
    limits: PrincipalLimits | None = None,
    header: TrustedHeader | None = None,
    resolve: Callable[[str], str] = str,
) -> Access:
    """Return a judge of native routes, for the folder ``/work``."""
    boundary = Boundary(Whereabouts({}, lambda _: None), lambda: "/work", resolve)
    identity = identity or Identity(None, None, Cookies(b"key"))
    hosts, cors = ("weir.test",), cors or Cors()
    return Access(
        Rules(False),
        identity,
        boundary,
        Networks(),
        hosts,
        cors,
        audit,
        None,
        limits,
        header,
    )
