"""Explains to the user why the server could not be reached, from the exception of a request."""

from __future__ import annotations

import http.client
import socket
import ssl

from deploy.doctor.examined_server import ExaminedServer
from deploy.doctor.finding import Finding, duration, fail

_WHAT = "reach"


def unreachable(error: Exception, server: ExaminedServer) -> Finding:
    """Return the finding for an exception that a request has raised: the cause and the remedy."""
    origin = server.origin
    if isinstance(error, ssl.SSLCertVerificationError):
        return fail(
            _WHAT,
            f"the certificate is not trusted: {error.verify_message}",
            f"give the server a certificate for {origin.host} from a trusted authority, or set "
            "SSL_CERT_FILE to the file with its authority's certificate",
        )
    if isinstance(error, ssl.SSLError):
        words = f"no TLS at {origin.authority}: {error.reason}"
        return fail(_WHAT, words, "try http:// instead of https:// in --url")
    if isinstance(error, socket.gaierror):
        words = f"DNS has no address for the host {origin.host!r}"
        return fail(_WHAT, words, "check the host in --url")
    if isinstance(error, ConnectionRefusedError):
        return fail(
            _WHAT,
            f"nothing listens at {origin.authority}",
            "start `weir up`, or give the address of a running server in --url",
        )
    if isinstance(error, TimeoutError):
        return fail(
            _WHAT,
            f"no answer within {duration(server.timeout_s)}",
            "the server hangs, or a firewall drops the packets: run `weir doctor` on the server's "
            "own machine to see which",
        )
    return _garbled(error, server)


def _garbled(error: Exception, server: ExaminedServer) -> Finding:
    if server.origin.scheme == "http" and server.speaks_tls():
        words = f"{server.origin.authority} expects TLS, but --url begins with http://"
        return fail(_WHAT, words, "use https:// in --url")
    if isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
        words = f"{server.origin.authority} closes the connection without an answer"
        return fail(_WHAT, words, "read the server's log, and the log of a proxy in between")
    if isinstance(error, http.client.HTTPException):
        words = f"the answer of {server.origin.authority} is not HTTP"
        return fail(_WHAT, words, "check the port in --url")
    words = f"no connection to {server.origin.authority}: {str(error) or type(error).__name__}"
    return fail(_WHAT, words, "check --url and the network")
