"""The socket that clients connect to.

It is opened once, by the supervisor, and inherited by the gateway. So port 0 is one port for
good, and while a gateway is restarted connections wait in the socket instead of being refused.
"""

from __future__ import annotations

import errno
import socket

from bus.flags import BadFlag

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: an address of this machine.
        port: 0 for any free one.

    Raises:
        BadFlag: the host is none of this machine's, or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _in_words(error, host, port) from error
    return listener


def _in_words(error: OSError, host: str, port: int) -> BadFlag:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return BadFlag(f"--host: {host!r} is not allowed; allowed is an address of this machine")
    return BadFlag(
        f"--port: {port} on {host} cannot be had ({error.strerror}); "
        "stop what uses it, or choose another port (0: any free one)"
    )
