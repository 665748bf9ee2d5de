"""What a peer on this machine has received and not read yet, by the kernel's account (Linux).

A window that has closed opens again only once its receiver has read a good part of its buffer;
over the loopback interface, where a segment is as long as a window, that is tens of kilobytes. A
peer that reads a little every second looks dead from here for a minute. But when the same kernel
holds its end as well, it can be asked (`sock_diag(7)`).
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
# After the head: family, state, timer, retransmits; the socket's address; expires, rqueue.
_ANSWER = struct.Struct("=4x48xII")
_MOST_BYTES = 4096


class Neighbours:
    """Asks the kernel for the other end of connections."""

    def __init__(self) -> None:
        self._netlink: _socket.socket | None = None
        if sys.platform == "linux":
            # The plain socket: the kernel has answered before `send` returns.
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            self._netlink = _socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)

    def unread(self, sock: socket.socket) -> int | None:
        """Return how many bytes the peer of a TCP connection has received and not read.

        None where that is not known: the peer is on another machine, or in another namespace.
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
    """Name the other end: its own address comes first."""
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
