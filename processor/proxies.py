"""Finds the proxy for a provider, from the environment variables that HTTP clients share.

Rules, as in requests and curl:

1. ``HTTPS_PROXY`` or ``HTTP_PROXY``, by the scheme of the provider's URL, else ``ALL_PROXY``. The
   name in lower case wins. In a CGI script ``HTTP_PROXY`` is ignored: there it is a header from a
   client.
2. ``NO_PROXY`` lists hosts, domains, addresses and networks that need no proxy; ``*`` means all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from bus.process.flags import BadFlag


class ProviderProxy(Struct, frozen=True):
    """A proxy.

    Attributes:
        url: without the login.
        login: ``USER:PASSWORD``, None if there is none.
    """

    url: str
    login: str | None = None


def proxy_for(url: str, environ: Mapping[str, str]) -> ProviderProxy | None:
    """Return the proxy for a URL, None if there is none.

    Raises:
        BadFlag: a variable names a proxy that cannot be used.
    """
    target = urlsplit(url)
    found = _variable(f"{target.scheme}_proxy", environ) or _variable("all_proxy", environ)
    if found is None or _is_direct(target, environ):
        return None
    return _proxy(*found)


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and value of a variable, in lower case or in upper case."""
    is_header = name == "http_proxy" and "REQUEST_METHOD" in environ
    names = [name] if is_header else [name, name.upper()]
    given = next((one for one in names if one in environ), None)
    return (given, environ[given].strip()) if given and environ[given].strip() else None


def _is_direct(target: SplitResult, environ: Mapping[str, str]) -> bool:
    found = _variable("no_proxy", environ)
    entries = [entry.strip() for entry in found[1].split(",")] if found else []
    if "*" in entries:
        return True
    host = target.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return any(_names(entry, host, target.port) for entry in entries)
    return any(_covers(entry, address, target.port) for entry in entries)


def _names(entry: str, host: str, port: int | None) -> bool:
    name = entry.lower().removeprefix("*").removeprefix(".")
    return bool(name) and any(
        f".{place}".endswith(f".{name}") for place in (host, f"{host}:{port}")
    )


def _covers(
    entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None
) -> bool:
    if entry in (f"{address}:{port}", f"[{address}]:{port}"):
        return True
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _proxy(name: str, value: str) -> ProviderProxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadFlag(f"{name}: its value is not a URL; allowed is {_ALLOWED}") from None
    if parts.scheme not in ("http", "https"):
        raise BadFlag(f"{name}: a {parts.scheme} proxy cannot be used; allowed is {_ALLOWED}")
    if not host or port == 0:
        raise BadFlag(f"{name}: its value names no host; allowed is {_ALLOWED}")
    login = parts.username
    if login is not None:
        login = f"{unquote(login)}:{unquote(parts.password or '')}"
    place = parts.netloc.rpartition("@")[2]
    return ProviderProxy(f"{parts.scheme}://{place}", login)


_ALLOWED = "http(s)://[USER:PASSWORD@]HOST[:PORT], or the model's host in NO_PROXY"
