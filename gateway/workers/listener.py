"""Opens the listening socket, to which clients connect.

The supervisor opens the socket once, and each gateway that it starts inherits the socket. So a
port that the system has chosen (port 0) stays the same, and connections wait in the socket while
the gateway restarts, instead of being refused.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from bus.process.flags import BadFlag

# The length of the queue of connections that are not accepted yet. While the queue is full, the
# kernel does not hold back connections whose client has sent nothing (TCP_DEFER_ACCEPT below).
_BACKLOG = 4096
_SPEAKS_WITHIN_S = 1
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host and a port.

    Args:
        host: an address or a name of this machine; an IPv6 address may be in brackets.
        port: the port; 0 for any free port.

    Raises:
        BadFlag: the host is not this machine, or the port cannot be used.
    """
    refusal: BadFlag | None = None
    for family, address in _addresses(host, port):
        try:
            return _listen_at(family, address)
        except OSError as error:
            refusal = refusal or _in_words(error, host, port)
    raise refusal or _no_host(host, "no address is known")


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """Return the addresses of a host; IPv4 comes first, since every client can use IPv4."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise _no_host(host, error.strerror or str(error)) from error
    except UnicodeError as error:
        raise _no_host(host, "not the name of a host") from error
    named = [(family, address) for family, *_, address in found]
    return sorted(named, key=lambda one: one[0] != socket.AF_INET)


def _listen_at(family: int, address: Any) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The address `::` shall accept IPv4 connections too, whatever the system's default.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if sys.platform == "linux":
            # The kernel shows a connection to the workers when its client has sent something, or
            # after a second. So a short connection without a byte costs the workers nothing.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SPEAKS_WITHIN_S)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _in_words(error: OSError, host: str, port: int) -> BadFlag:
    if error.errno in _NO_SUCH_ADDRESS:
        return _no_host(host, error.strerror or str(error))
    return BadFlag(
        f"--port: {port} on {host} cannot be used ({error.strerror}); "
        "stop the program that uses it, or choose another port (0: any free port)"
    )


def _no_host(host: str, reason: str) -> BadFlag:
    return BadFlag(
        f"--host: {host!r} is not allowed ({reason}); allowed is an address of this machine"
    )
