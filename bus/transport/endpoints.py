"""The addresses of a processor's two sockets: events (PUB) and commands (ROUTER)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

_TCP_ALLOWED = "allowed is tcp://HOST:PORT with a port of 1 to 65534"
_IPC_PATH_MAX = 107  # the size of a Unix socket's sun_path, without the closing NUL


class InvalidEndpoint(ValueError):
    """A bus address cannot be used; the message gives the reason and what is allowed."""


class Endpoints(Struct, frozen=True):
    """The ZeroMQ addresses of one processor."""

    events: str
    commands: str

    @property
    def url(self) -> str:
        """The bus address in the form that `parse` takes."""
        return self.events.removesuffix("/events")

    @property
    def folder(self) -> Path | None:
        """The folder of the two sockets, None if they are TCP ports."""
        path = self.url.removeprefix("ipc://")
        return None if path == self.url else Path(path)

    @classmethod
    def parse(cls, url: str) -> Endpoints:
        """Parse a bus address.

        Args:
            url: ``ipc:///FOLDER`` (two sockets in this folder) or ``tcp://HOST:PORT`` with a
                loopback host (events on PORT, commands on PORT + 1).

        Raises:
            InvalidEndpoint: `url` is neither.
        """
        if url.startswith("ipc://"):
            return cls._ipc(url)
        if url.startswith("tcp://"):
            return cls._tcp(url)
        raise InvalidEndpoint(f"{url!r}: allowed are ipc:///FOLDER and tcp://HOST:PORT")

    @classmethod
    def _ipc(cls, url: str) -> Endpoints:
        folder = url.rstrip("/")
        if not folder.startswith("ipc:///") or "\0" in folder:
            raise InvalidEndpoint(f"{url!r}: allowed is ipc:///FOLDER, an absolute path")
        longest = f"{folder}/commands"
        if len(longest.removeprefix("ipc://").encode()) > _IPC_PATH_MAX:
            raise InvalidEndpoint(
                f"{url!r}: too long for a Unix socket; use a folder whose path has at most "
                f"{_IPC_PATH_MAX - len('/commands')} bytes"
            )
        return cls(events=f"{folder}/events", commands=longest)

    @classmethod
    def _tcp(cls, url: str) -> Endpoints:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidEndpoint(f"{url!r}: {_TCP_ALLOWED}") from None
        bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if port is None or not 1 <= port <= 65534 or not parts.hostname or not bare:
            raise InvalidEndpoint(f"{url!r}: {_TCP_ALLOWED}")
        if not _is_loopback(parts.hostname):
            raise InvalidEndpoint(
                f"{url!r}: the bus is not encrypted, so its host must be a loopback address"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(events=f"tcp://{host}:{port}", commands=f"tcp://{host}:{port + 1}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
