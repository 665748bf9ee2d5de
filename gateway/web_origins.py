"""Origins of web pages, in the form of ``--cors`` and of browsers."""

from __future__ import annotations

import re

from msgspec import Struct

from bus.process.flags import BadFlag, Kind

ALLOWED = "SCHEME://HOST[:PORT], several joined with commas or given one by one"
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


class WebOrigins(Struct, frozen=True):
    """A set of origins; as text, joined with commas."""

    names: frozenset[str]

    def __str__(self) -> str:
        return ",".join(sorted(self.names))

    @classmethod
    def parse(cls, text: str) -> WebOrigins:
        """Parse origins joined with commas.

        Raises:
            BadFlag: one of them is not an origin.
        """
        return cls(frozenset(_origin(name.strip()) for name in text.split(",")))


def _origin(name: str) -> str:
    """Return an origin as a browser spells it: in lower case, without a slash at its end."""
    plain = name.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(plain):
        raise BadFlag(f"{name!r} is not the origin of a web page; allowed is {ALLOWED}")
    return plain


WEB_ORIGINS = Kind(WebOrigins.parse, ALLOWED)
