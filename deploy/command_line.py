"""Reads the flags that all commands have that connect to a server, such as `weir tail`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from bus.origin import UPSTREAM, Origin, with_client_login
from bus.process import flags
from bus.process.flags import Flag, HelpAsked

_URL = Flag("url", UPSTREAM, Origin.parse("http://127.0.0.1:4097"), "the URL of the server")
_JSON = "--json"


class Given(Struct, frozen=True):
    """The values of the flags.

    Attributes:
        server: the address of the server, and the login to send.
        json: whether ``--json`` was given.
        values: the values of the other flags, by `Flag.key`.
    """

    server: Origin
    json: bool
    values: dict[str, Any]


def read(
    argv: Sequence[str], environ: Mapping[str, str], more: Sequence[Flag], json_help: str
) -> Given:
    """Return the values of the flags, from the command line and the environment variables.

    Args:
        argv: the words of the command line.
        environ: the environment variables, which may set flags and the login.
        more: the flags of the command beside ``--url`` and ``--json``.
        json_help: what ``--json`` does, as one line of help.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
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
    """Return the server and the values of the other flags, for a command without ``--json``.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = flags.read(argv, environ, (_URL, *more))
    return _server(values, environ), values


def _server(values: dict[str, Any], environ: Mapping[str, str]) -> Origin:
    return with_client_login(values.pop("url"), environ)
