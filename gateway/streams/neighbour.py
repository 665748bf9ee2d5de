"""How many bytes a peer on this machine has received and not read, as the kernel counts (Linux).

A closed TCP window opens again only after its receiver has read a good part of its buffer: on the
loopback interface, whose segments are large, tens of kilobytes. So a peer that reads a little
every second accepts no bytes for a minute, and looks as if it read nothing. But the kernel knows
what a peer on the same machine has read, and can be asked (`sock_diag(7)`).
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
# Fields of `struct inet_diag_msg` after the netlink header: family, state, timer, retransmits; the
# socket's address; expires, rqueue. Only the last two are unpacked; rqueue is the unread bytes.
_ANSWER = struct.Struct("=4x48xII")
_MOST_BYTES = 4096


class Neighbours:
    """Asks Linux about the peers of connections that are on this machine."""

    def __init__(self) -> None:
        self._netlink: _socket.socket | None = None
        if sys.platform == "linux":
            # Not gevent's socket: the kernel answers before `send` returns, so nothing blocks.
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
    """Return the netlink request about the peer's socket; the peer's address comes first."""
    (host, port), (peer, peer_port) = sock.getsockname()[:2], sock.getpeername()[:2]
    family = sock.family
    addresses = (socket.inet_pton(family, one).ljust(16, b"\0") for one in (peer, host))
    body = b"".join(
        (
            _WHICH.pack(family, socket.IPPROTO_TCP, 0, _ALL_STATES),
            _PORTS.pack(peer_port, port),
            *addresses,
            bytes(4),  # interface index 0: any network interface
            _NO_COOKIE,
        )
    )
    return _HEAD.pack(_HEAD.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + body
