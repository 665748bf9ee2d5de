"""Certificates that sign themselves, and clients that trust them."""

import socket
import ssl
import subprocess
from pathlib import Path

from tests.processes import DEADLINE_S
from tests.raw_client import RawClient


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that signs itself; return it and its key."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    who = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = folder / "cert.pem", folder / "key.pem"
    written = ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*make.split(), *who, *written], check=True, capture_output=True)
    return files


def trusting(cert: Path) -> ssl.SSLContext:
    """Return what a client uses that trusts a certificate."""
    return ssl.create_default_context(cafile=str(cert))


class TlsClient(RawClient):
    """One connection to a server over TLS.

    Args:
        url: of the server; its scheme does not count.
        cert: the certificate to trust.
    """

    def __init__(self, url: str, cert: Path) -> None:
        super().__init__(url)
        self.socket = trusting(cert).wrap_socket(self.socket, server_hostname="127.0.0.1")

    def end_below_tls(self) -> str:
        """Return how the connection itself ends: "end" or "reset". No TLS is read any more."""
        self.socket = socket.socket(fileno=self.socket.detach())
        self.socket.settimeout(DEADLINE_S)
        return self.rest()[1]
