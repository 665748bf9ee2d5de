"""Which headers the proxy passes on, and which headers it sets itself.

1. Hop-by-hop headers, and headers named by ``Connection``, do not pass (RFC 9110, 7.6.1).
2. All others pass, in order; repeated headers stay separate.
3. ``Trailer`` passes: it announces fields that pass too.
4. The proxy writes a body's length itself: ``Connection: content-length`` must not remove it.
5. ``Connection: x-opencode-directory`` must not remove the folder, which weir has checked: an
   upstream would use its own folder.
6. ``Host`` is the upstream's own. ``X-Forwarded-Host`` and ``-Proto`` contain what the client
   sent, or what a trusted proxy has put there. The client's address is appended to
   ``X-Forwarded-For``.
"""

from __future__ import annotations

from collections.abc import Iterable

Header = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_SET_HERE = frozenset({b"host", _FOR, _PROTO, _HOST})
_CHECKED = frozenset({b"x-opencode-directory"})


def values(headers: Iterable[Header], name: bytes) -> list[bytes]:
    """Return every value of the header `name` (in lower case)."""
    return [value for key, value in headers if key.lower() == name]


def tokens(headers: Iterable[Header], name: bytes) -> set[bytes]:
    """Return the members of a header with a list of values, in lower case."""
    parts = b",".join(values(headers, name)).split(b",")
    return {part.strip().lower() for part in parts} - {b""}


def end_to_end(headers: Iterable[Header]) -> list[Header]:
    """Return `headers` without those that are for this connection only (hop-by-hop headers)."""
    headers = list(headers)
    ending = HOP_BY_HOP | (tokens(headers, b"connection") - _CHECKED)
    return [header for header in headers if header[0].lower() not in ending]


def towards_upstream(
    headers: Iterable[Header],
    *,
    authority: str,
    client: str,
    body: Header | None,
    trusted: bool = False,
    scheme: str = "http",
) -> list[Header]:
    """Return the headers of a request for the upstream.

    Args:
        headers: the headers that the client sent.
        authority: host and port of the upstream, for ``Host``.
        client: the address of the peer, for ``X-Forwarded-For``.
        body: the header that frames the body; None if there is no body.
        trusted: the peer is a trusted proxy, whose ``X-Forwarded-*`` headers are believed.
    """
    headers = list(headers)
    kept = [header for header in end_to_end(headers) if header[0].lower() not in _SET_HERE]
    if body is not None and not values(kept, body[0].lower()):
        kept.append(body)
    came_by = b", ".join([*values(headers, _FOR), client.encode("latin-1")])
    said = [header for header in headers if trusted and header[1]]
    schemes = values(said, _PROTO)
    hosts = values(said, _HOST) or values(headers, b"host")
    forwarded = [
        (b"X-Forwarded-For", came_by),
        (b"X-Forwarded-Proto", b", ".join(schemes) or scheme.encode()),
    ]
    if hosts:
        forwarded.append((b"X-Forwarded-Host", b", ".join(hosts)))
    return [(b"Host", authority.encode("latin-1")), *kept, *forwarded]
