"""Which opencode is read, and the login that it asks for."""

from __future__ import annotations

from msgspec import Struct

from bus.origin import Origin


class UpstreamSettings(Struct, frozen=True):
    """The server to read.

    Attributes:
        origin: where it is, and the login it asks for.
        silence_s: a stream that sends no event for so long is dead.
    """

    origin: Origin
    silence_s: float = 30.0

    @property
    def url(self) -> str:
        """Its address, fit to be shown."""
        return str(self.origin)

    @property
    def authorization(self) -> str | None:
        """Value of the header that opens it, None where it is open to all."""
        return None if self.origin.login is None else self.origin.login.basic
