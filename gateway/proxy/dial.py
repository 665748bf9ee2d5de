"""Opens a connection to the upstream; if this fails, the error gives the reason."""

from __future__ import annotations

import errno
import socket
import ssl
from functools import cache

import gevent

from bus.origin import Origin
from gateway.proxy.failures import UpstreamFailed, UpstreamSilent

CONNECT_TIMEOUT_S = 5.0
_UNACKNOWLEDGED_MS = 120_000
_KEEPALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 4}


def dial(origin: Origin, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """Return a connected socket, with TLS if the upstream's URL begins with ``https``.

    Raises:
        UpstreamFailed: the connection is refused, or the TLS handshake fails.
        UpstreamSilent: the upstream did not answer in time.
    """
    try:
        with gevent.Timeout(timeout_s, TimeoutError()):
            return _connected(origin)
    except TimeoutError:
        silent = f"the upstream {origin} did not accept the connection within {timeout_s:g} s"
        raise UpstreamSilent(silent) from None
    except OSError as error:
        raise UpstreamFailed(_words(origin, error)) from error


def _connected(origin: Origin) -> socket.socket:
    sock = socket.create_connection((origin.host, origin.port))
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # TCP keepalive ends a request if the peer has vanished, since a request may stay open for
        # hours without any byte.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        if origin.scheme == "https":
            return _tls().wrap_socket(sock, server_hostname=origin.host)
    except BaseException:
        sock.close()
        raise
    return sock


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _words(origin: Origin, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name of the upstream {origin} cannot be resolved: {error.strerror}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the upstream {origin} is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS with the upstream {origin} failed: {error.reason or error}"
    if error.errno == errno.ECONNREFUSED:
        return f"the upstream {origin} refuses connections; is it running?"
    return f"the upstream {origin} cannot be reached: {error.strerror or error}"
