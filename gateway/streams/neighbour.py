"""How many bytes a peer on this machine has received and not read, as the kernel counts (Linux).

A closed window opens again only after its receiver has read a good part of its buffer. On the
loopback interface, where a segment is as long as a window, these are tens of kilobytes. So a peer
that reads a little every second looks dead for a minute. But if the peer is on this machine, its
kernel is ours, and can be asked (`sock_diag(7)`).
"""

from __future__ import annotations

import _socket
import socket
import struct
import sys

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_HEAD = struct.Struct("=IHHII")
_WHICH = struct.Struct("=BBBxI")
_PORTS = struct.Struct("!HH")
# After the header: family, state, timer, retransmits; the socket's address; expires, rqueue.
_ANSWER = struct.Struct("=4x48xII")
_MOST_BYTES = 4096


class Neighbours:
    """Asks the kernel about the other ends of connections."""

    def __init__(self) -> None:
        self._netlink: _socket.socket | None = None
        if sys.platform == "linux":
            # A plain socket, not a green one: the kernel has answered before `send` returns.
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            self._netlink = _socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)

    def unread(self, sock: socket.socket) -> int | None:
        """Return how many bytes the peer of a TCP connection has received and not read.

        The result is None if the peer is on another machine, or in another network namespace.
        """
        if self._netlink is None:
            return None
        try:
            self._netlink.send(_question(sock))
            answer = self._netlink.recv(_MOST_BYTES)
        except OSError:
            return None
        if _HEAD.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return None
        _, unread = _ANSWER.unpack_from(answer, _HEAD.size)
        return int(unread)


def _question(sock: socket.socket) -> bytes:
    """Return the request about the peer's socket: the peer's address comes first."""
    (host, port), (peer, peer_port) = sock.getsockname()[:2], sock.getpeername()[:2]
    family = sock.family
    addresses = (socket.inet_pton(family, one).ljust(16, b"\0") for one in (peer, host))
    body = b"".join(
        (
            _WHICH.pack(family, socket.IPPROTO_TCP, 0, _ALL_STATES),
            _PORTS.pack(peer_port, port),
            *addresses,
            bytes(4),  # any interface
            _NO_COOKIE,
        )
    )
    return _HEAD.pack(_HEAD.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + body
