"""The command line of `weir tail`, `weir doctor` and others that connect to a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from bus.origin import UPSTREAM, Origin, with_client_login
from bus.process import flags
from bus.process.flags import Flag, HelpAsked

_URL = Flag("url", UPSTREAM, Origin.parse("http://127.0.0.1:4097"), "the server")
_JSON = "--json"


class Given(Struct, frozen=True):
    """The values of a command line.

    Attributes:
        server: its address, and the login to send.
        json: whether the output is for a machine.
        values: of the other flags, by `Flag.key`.
    """

    server: Origin
    json: bool
    values: dict[str, Any]


def read(
    argv: Sequence[str], environ: Mapping[str, str], more: Sequence[Flag], json_help: str
) -> Given:
    """Return the values from a command line and its environment.

    Args:
        argv: its words.
        environ: contains the twins of the flags, and opencode's login.
        more: flags beside ``--url``.
        json_help: what ``--json`` does, in one line.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    rest = [word for word in argv if word != _JSON]
    try:
        values = flags.read(rest, environ, (_URL, *more))
    except HelpAsked as help_text:
        raise HelpAsked(f"{help_text}\n  {_JSON}\n      {json_help}") from None
    return Given(_server(values, environ), _JSON in argv, values)


def read_plain(
    argv: Sequence[str], environ: Mapping[str, str], more: Sequence[Flag]
) -> tuple[Origin, dict[str, Any]]:
    """Return the server and the other values of a command without ``--json``.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = flags.read(argv, environ, (_URL, *more))
    return _server(values, environ), values


def _server(values: dict[str, Any], environ: Mapping[str, str]) -> Origin:
    return with_client_login(values.pop("url"), environ)
