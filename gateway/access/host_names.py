"""Names by which clients reach a server, from ``--allow-host``."""

from __future__ import annotations

import re

from msgspec import Struct

from bus.process.flags import BadFlag, Kind

_ALLOWED = "the name of a host without a port, several joined with commas or given one by one"
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class HostNames(Struct, frozen=True):
    """A set of names; as text, joined with commas."""

    names: frozenset[str]

    def __str__(self) -> str:
        return ",".join(sorted(self.names))

    @classmethod
    def parse(cls, text: str) -> HostNames:
        """Parse names joined with commas.

        Raises:
            BadFlag: one of them is not a name.
        """
        return cls(frozenset(_name(name.strip()) for name in text.split(",")))


def _name(name: str) -> str:
    plain = name.lower().removesuffix(".")
    if not _NAME.fullmatch(plain):
        raise BadFlag(f"{name!r} is not the name of a host; allowed is {_ALLOWED}")
    return plain


HOST_NAMES = Kind(HostNames.parse, _ALLOWED)
