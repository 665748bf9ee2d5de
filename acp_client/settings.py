"""The settings of `weir acp`, from its command line and the environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from bus.origin import UPSTREAM, Origin, with_client_login
from bus.process import flags
from bus.process.flags import Flag, Kind
from bus.process.start_folder import start_folder

DEFAULT_SERVER = Origin("http", "127.0.0.1", 4097)


def _folder(value: str) -> str:
    folder = os.path.abspath(value) if Path(value).is_dir() else ""
    # The folder is sent as JSON. `encode` raises a ValueError if the name is not valid UTF-8.
    folder.encode()
    if not folder:
        raise ValueError
    return folder


FLAGS = (
    Flag("server", UPSTREAM, DEFAULT_SERVER, "the URL of the weir or opencode to connect to"),
    Flag(
        "directory",
        Kind(_folder, "an existing folder"),
        None,
        "the folder whose sessions are listed if the editor names none",
    ),
    Flag(
        "log-level",
        flags.one_of("debug", "info", "warning", "error"),
        "warning",
        "the least severe messages to log, on standard error",
    ),
)


class AgentSettings(Struct, frozen=True):
    """The settings of `weir acp`.

    Attributes:
        server: the address of the server, and the login to send.
        directory: the folder whose sessions are listed if a ``session/list`` names no folder.
        log_level: the level of the least severe messages to log.
    """

    server: Origin
    directory: str
    log_level: str


def read(argv: Sequence[str], environ: Mapping[str, str]) -> AgentSettings:
    """Return the settings from the command line and the environment variables.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = flags.read(argv, environ, FLAGS)
    server = with_client_login(values["server"], environ)
    return AgentSettings(server, values["directory"] or start_folder(environ), values["log_level"])
