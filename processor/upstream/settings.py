"""Settings of the connection to an opencode: its address, its login, and a deadline."""

from __future__ import annotations

from msgspec import Struct

from bus.origin import Origin


class UpstreamSettings(Struct, frozen=True):
    """The server to read.

    Attributes:
        origin: its address and login.
        silence_s: a stream that sends no event for this long counts as dead.
    """

    origin: Origin
    silence_s: float = 30.0

    @property
    def url(self) -> str:
        """The server's URL, without the password."""
        return str(self.origin)

    @property
    def authorization(self) -> str | None:
        """The value of the ``Authorization`` header, None if the server requires no login."""
        return None if self.origin.login is None else self.origin.login.basic
