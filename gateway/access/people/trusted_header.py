"""The name of a person in a header that a trusted proxy sets (``--trusted-user-header``). No I/O.

1. The header is only believed from a trusted proxy, and only if the request has it once.
2. The header is removed from every request, so that an upstream never gets it from a client. This
   includes its spelling with underscores, which some servers read as the same header.
"""

from __future__ import annotations

from gateway.access.principal import Person
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import values

_LONGEST = 256


class TrustedHeader:
    """Reads and removes the header.

    Args:
        name: the name of the header.
    """

    def __init__(self, name: str) -> None:
        self._name = name.lower().encode()

    def take(self, request: Request) -> Person | None:
        """Remove the header from a request; return the person that a trusted proxy names there.

        Returns None if no trusted proxy has named a person.

        Raises:
            Refusal: the proxy's header is not the name of one person (400).
        """
        given = values(request.headers, self._name)
        request.headers = [one for one in request.headers if not self._is_spelt(one[0])]
        if not request.trusted or given in ([], [b""]):
            return None
        try:
            name = given[0].decode().strip()
        except UnicodeDecodeError:
            name = ""
        if len(given) > 1 or not 0 < len(name) <= _LONGEST or not name.isprintable():
            raise Refusal(400, f"{self._name.decode()}: not the name of one person")
        return Person(name)

    def _is_spelt(self, name: bytes) -> bool:
        return name.lower().replace(b"_", b"-") == self._name.replace(b"_", b"-")
