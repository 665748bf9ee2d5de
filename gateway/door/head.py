"""Parses the head of a request. No I/O: bytes in; a `Head` out, or the reason for a refusal.

1. A line ends with CRLF. A bare LF, a bare CR, a folded line and a space before a colon are
   refused (RFC 9112, 2.2, 5.1, 5.2).
2. A target has no space and no control character. Bytes outside of ASCII, which curl sends as they
   are in a URL, are percent-encoded here, as opencode does.
3. The length of the body is given once: by one Content-Length, or by ``Transfer-Encoding:
   chunked`` alone. Both together, two lengths, chunks in HTTP/1.0 and codings that do not end with
   chunked are refused with 400, a further coding such as gzip with 501 (RFC 9112, 6.1 and 6.3).
4. There is at most one Host and one Content-Type.

The reason for a refusal never repeats what the client sent: a head may contain a password.
"""

from __future__ import annotations

import re

from msgspec import Struct

from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header, tokens, values

_REQUEST_LINE = re.compile(
    rb"([A-Z0-9!$%&'*+.^_`|~-]{3,20}) ([!-~\x80-\xff]++) HTTP/1\.([0-9])", re.DOTALL
)
_FIELD = re.compile(
    rb"([0-9A-Za-z!#$%&'*+.^_`|~-]++):([^\x00-\x08\x0a-\x1f\x7f]*+)\r\n", re.DOTALL
)
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+")
_PAST_ASCII = re.compile(rb"[\x80-\xff]")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SINGLE = (b"host", b"content-type")
_TELLING = frozenset({*_SINGLE, b"connection", b"content-length", b"expect", b"transfer-encoding"})


class Head(Struct, frozen=True):
    """The request line and the headers of a request.

    Attributes:
        method: the method as the client sent it.
        target: the path and the query, or ``*``, in ASCII, as an upstream would get it.
        headers: the headers in order, spelt as the client sent them.
        http11: the client speaks HTTP/1.1 or newer, not HTTP/1.0.
        keep_alive: the client may send another request on its connection.
        length: the value of Content-Length; 0 without this header.
        chunked: the body has ``Transfer-Encoding: chunked``.
        expects_continue: the client waits for a ``100 Continue`` before it sends the body.
    """

    method: str
    target: bytes
    headers: list[Header]
    http11: bool
    keep_alive: bool
    length: int
    chunked: bool
    expects_continue: bool


def parse(data: bytes) -> Head:
    """Parse a head, given without the blank line at its end.

    Raises:
        Refusal: the head is not HTTP, or may be read in more than one way.
    """
    line, _, rest = data.partition(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refusal(
            400, "the request line is not METHOD TARGET HTTP/1.1, with one space between the parts"
        )
    method, minor = match[1].decode("ascii"), int(match[3])
    headers = fields(rest + b"\r\n" if rest else b"")
    http11 = minor >= 1
    # The names are lowered once here, and not in each check: there may be thousands of headers.
    relevant = [header for header in headers if header[0].lower() in _TELLING]
    _check_single(relevant)
    length, chunked = _framing(relevant, http11)
    said = tokens(relevant, b"connection")
    stays = b"close" not in said and (http11 or b"keep-alive" in said)
    return Head(
        method=method,
        target=_target(method, match[2]),
        headers=headers,
        http11=http11,
        keep_alive=stays and method != "CONNECT",
        length=length,
        chunked=chunked,
        expects_continue=_expects_continue(relevant) and http11,
    )


def fields(block: bytes) -> list[Header]:
    """Parse header lines, each of which must end with CRLF; return (name, value) pairs.

    Raises:
        Refusal: a line is not ``name: value``.
    """
    found: list[Header] = []
    at = 0
    while at < len(block):
        match = _FIELD.match(block, at)
        if match is None:
            line = len(found) + 1
            raise Refusal(
                400, f"header line {line} is not 'name: value', or has a control character"
            )
        found.append((match[1], match[2].strip(b" \t")))
        at = match.end()
    return found


def _target(method: str, target: bytes) -> bytes:
    target = _PAST_ASCII.sub(lambda match: b"%%%02X" % match[0][0], target)
    if target.startswith(b"/") or method == "CONNECT" or (target == b"*" and method == "OPTIONS"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise Refusal(400, "the request target is neither a URL nor a path that begins with '/'")
    rest = target[absolute.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def _check_single(headers: list[Header]) -> None:
    for name in _SINGLE:
        if len(values(headers, name)) > 1:
            raise Refusal(
                400, f"the request has the header {name.decode()} more than once; send it once"
            )


def _framing(headers: list[Header], http11: bool) -> tuple[int, bool]:
    """Return the Content-Length (0 without), and whether the transfer encoding is chunked."""
    codings, lengths = values(headers, b"transfer-encoding"), values(headers, b"content-length")
    if codings:
        _check_codings([one.strip(b" \t").lower() for one in b",".join(codings).split(b",")])
        if lengths or not http11:
            raise Refusal(
                400,
                "transfer-encoding is not allowed together with content-length, nor in HTTP/1.0",
            )
        return 0, True
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0])):
        raise Refusal(400, "content-length must be given once, as a number of at most 18 digits")
    return int(lengths[0]) if lengths else 0, False


def _check_codings(codings: list[bytes]) -> None:
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        raise Refusal(400, "transfer-encoding must end with chunked, and name chunked only once")
    if len(codings) > 1:
        raise Refusal(
            501,
            "chunked is the only transfer-encoding supported; use content-encoding to compress",
        )


def _expects_continue(headers: list[Header]) -> bool:
    expected = values(headers, b"expect")
    if any(one.lower() != b"100-continue" for one in expected):
        raise Refusal(417, "the header 'expect' allows only the value 100-continue")
    return bool(expected)
