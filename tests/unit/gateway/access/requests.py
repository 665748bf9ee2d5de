"""Requests as the door has them, without a connection."""

from types import SimpleNamespace

from gateway.door.head import parse
from gateway.door.request import Request


def request(method: str, target: str, *headers: str, trusted: bool = False) -> Request:
    """Return a request with header lines; one without ``Host`` names 127.0.0.1."""
    lines = [f"{method} {target} HTTP/1.1", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append("Host: 127.0.0.1:4097")
    wire = SimpleNamespace(address="192.0.2.1", ahead=bytearray())
    return Request(parse("\r\n".join(lines).encode()), wire, trusted)
