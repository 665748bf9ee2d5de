"""Refuses requests that a browser sends for web pages of other origins. No I/O.

1. A browser sends a page's request to any server, with the browser's credentials for this server;
   the page only cannot read the answer. So a write or the opening of a WebSocket is refused if its
   ``Origin`` is another origin that ``--cors`` does not allow.
2. Some writes need no preflight ("simple requests"): their content type is that of a form or
   ``text/plain``, or missing. Such a write is refused if a browser may have sent it for a page of
   another origin, which its ``Sec-Fetch-*``, ``Origin`` or ``Referer`` headers show. From other
   programs it is accepted: ``curl -d`` sends a form, and ``fetch`` of Node sends ``text/plain``.
3. A page's owner can let the page's host name resolve to this machine (DNS rebinding); then the
   page has weir's own origin. So a server that requires no identity only serves requests whose
   ``Host`` is a name of this machine.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection

from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import values

_PORT = re.compile(r":[0-9]{0,5}")
_SIMPLE = ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "")
_OF_NODE = {(b"sec-fetch-mode", b"cors")}
"""The ``Sec-Fetch-*`` headers of Node's ``fetch``; a browser also sends ``Origin``."""
_OWN_SITES = ("", "same-origin", "none")
_LONGEST_SHOWN = 100


def names_of_this_machine() -> frozenset[str]:
    """Return this machine's host name, alone and with ``.local``, in lower case."""
    name = socket.gethostname().lower()
    return frozenset({name, f"{name}.local"})


def check_host(request: Request, names: Collection[str]) -> None:
    """Refuse a request that names another server than this machine (rule 3).

    IP addresses and names without a dot are allowed, since no attacker can let them resolve to
    this machine.

    Raises:
        Refusal: the name in ``Host`` is not one of `names`.
    """
    host = _host_of(request.header(b"host"))
    if host == "" or "." not in host or host.endswith(".localhost") or host in names:
        return
    if not _is_address(host):
        raise Refusal(
            403,
            f"Host: {host[:_LONGEST_SHOWN]!r} is not a name of this machine; "
            "a name that leads to this weir is allowed by --allow-host",
        )


def check_origin(request: Request, allows: Callable[[str], bool]) -> None:
    """Refuse a write that a web page of another origin may have sent (rules 1 and 2).

    Args:
        request: a request that writes.
        allows: returns whether pages of an origin may call.

    Raises:
        Refusal: the page may not write.
    """
    origin = request.header(b"origin")
    if origin and is_own_origin(origin, request):
        return
    if origin and not allows(origin):
        shown = origin[:_LONGEST_SHOWN]
        raise Refusal(
            403, f"Origin: {shown!r} may not write here; pages that may are named by --cors"
        )
    site = request.header(b"sec-fetch-site").lower()
    if not origin and site not in _OWN_SITES:
        raise Refusal(403, f"Sec-Fetch-Site: {site[:_LONGEST_SHOWN]!r} may not write here")
    _check_type(request, is_page=bool(origin))


def _check_type(request: Request, is_page: bool) -> None:
    kind = request.header(b"content-type").partition(";")[0].strip().lower()
    if kind not in _SIMPLE or (not kind and request.framed_by is None):
        return
    marks = {
        (name.lower(), value.lower())
        for name, value in request.headers
        if name.lower().startswith(b"sec-fetch-")
    }
    is_browser = is_page or bool(marks - _OF_NODE)
    own = request.header(b"sec-fetch-site").lower() == "same-origin"
    if not own and (is_browser or values(request.headers, b"referer")):
        shown = kind or "no content type"
        raise Refusal(415, f"Content-Type: {shown!r} is not allowed; send application/json")


def is_preflight(request: Request) -> bool:
    """Return whether a request is a browser's CORS preflight, which never has a credential."""
    asks = request.header(b"access-control-request-method")
    return request.method == "OPTIONS" and bool(asks)


def asks_for_private_network(request: Request) -> bool:
    """Return whether a preflight asks if a public web page may call a server in a private network.

    weir answers this for an upstream too, since opencode does not know this header.
    """
    asks = request.method == "OPTIONS"
    return asks and request.header(b"access-control-request-private-network") == "true"


def is_own_origin(origin: str, request: Request) -> bool:
    """Return whether an origin is this server itself: the host of the request's ``Host``."""
    _, _, authority = origin.lower().partition("://")
    own = [request.header(b"host")]
    if request.trusted:
        own += [one.decode("latin-1") for one in values(request.headers, b"x-forwarded-host")]
    return bool(authority) and authority in (one.lower().strip() for one in own)


def _host_of(authority: str) -> str:
    """Return the host of ``HOST:PORT``, in lower case, without a dot at its end."""
    host = authority.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    if colon and _PORT.fullmatch(colon + port):
        host = name
    return host.removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
