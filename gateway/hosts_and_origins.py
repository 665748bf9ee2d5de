"""Parses the values of ``--allow-host`` (names of hosts) and ``--cors`` (origins of web pages)."""

from __future__ import annotations

import re

from msgspec import Struct

from bus.process.flags import BadFlag, Kind

_HOST = r"[a-z0-9_-]+(\.[a-z0-9_-]+)*"
_ORIGIN = rf"[a-z][a-z0-9+.-]*://({_HOST}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?"


class Names(Struct, frozen=True):
    """A set of host names or origins; `str` joins them with commas, as the flags take them."""

    names: frozenset[str]

    def __str__(self) -> str:
        return ",".join(sorted(self.names))


def _kind(what: str, form: str, pattern: str, end: str) -> Kind:
    """Return the kind of a flag that takes names which match `pattern`.

    Args:
        what: what a name is, for the error.
        form: how a name is written, for the error and the help.
        pattern: matches a name in lower case.
        end: a name may end with this character, which means nothing.
    """
    allowed = f"{form}, several joined with commas or given one by one"

    def parse(text: str) -> Names:
        return Names(frozenset(parse_one(name.strip()) for name in text.split(",")))

    def parse_one(name: str) -> str:
        plain = name.lower().removesuffix(end)
        if not re.fullmatch(pattern, plain):
            raise BadFlag(f"{name!r} is not {what}; allowed is {allowed}")
        return plain

    return Kind(parse, allowed)


HOST_NAMES = _kind("the name of a host", "the name of a host without a port", _HOST, ".")
WEB_ORIGINS = _kind("the origin of a web page", "SCHEME://HOST[:PORT]", _ORIGIN, "/")
