"""Why a server cannot be reached, in words."""

from __future__ import annotations

import http.client
import socket
import ssl

from deploy.doctor.finding import Finding, duration, fail
from deploy.doctor.patient import Patient

_WHAT = "reach"


def unreachable(error: Exception, patient: Patient) -> Finding:
    """Return the meaning of a connection error."""
    origin = patient.origin
    if isinstance(error, ssl.SSLCertVerificationError):
        return fail(
            _WHAT,
            f"the certificate is not trusted: {error.verify_message}",
            f"give the server a certificate for {origin.host}, or name its authority's file in "
            "SSL_CERT_FILE",
        )
    if isinstance(error, ssl.SSLError):
        return fail(_WHAT, f"no TLS at {origin.authority}: {error.reason}", "try http://")
    if isinstance(error, socket.gaierror):
        return fail(_WHAT, f"no address is known for {origin.host!r}", "check the name in --url")
    if isinstance(error, ConnectionRefusedError):
        return fail(
            _WHAT, f"nothing listens at {origin.authority}", "start `weir up`, or give its --url"
        )
    if isinstance(error, TimeoutError):
        return fail(
            _WHAT,
            f"no answer within {duration(patient.timeout_s)}",
            "the server hangs or a firewall drops the packets: look at it where it runs",
        )
    return _garbled(error, patient)


def _garbled(error: Exception, patient: Patient) -> Finding:
    if patient.origin.scheme == "http" and patient.speaks_tls():
        return fail(_WHAT, f"{patient.origin.authority} speaks TLS", "use https:// in --url")
    if isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
        return fail(_WHAT, "the connection is cut before the answer", "read the server's log")
    if isinstance(error, http.client.HTTPException):
        return fail(_WHAT, "the answer is not HTTP", "check the port in --url")
    return fail(_WHAT, str(error) or type(error).__name__)
