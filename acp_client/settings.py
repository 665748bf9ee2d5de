"""The settings of the agent, from its command line and its environment."""

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
    folder.encode()  # JSON must be UTF-8; `encode` raises a ValueError
    if not folder:
        raise ValueError
    return folder


FLAGS = (
    Flag("server", UPSTREAM, DEFAULT_SERVER, "the weir or opencode to talk to"),
    Flag("directory", Kind(_folder, "an existing folder"), None, "the folder to list sessions of"),
    Flag(
        "log-level",
        flags.one_of("debug", "info", "warning", "error"),
        "warning",
        "what is logged, on standard error",
    ),
)


class AgentSettings(Struct, frozen=True):
    """Settings of the agent.

    Attributes:
        directory: the folder for a ``session/list`` that names none.
    """

    server: Origin
    directory: str
    log_level: str


def read(argv: Sequence[str], environ: Mapping[str, str]) -> AgentSettings:
    """Return the settings.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = flags.read(argv, environ, FLAGS)
    server = with_client_login(values["server"], environ)
    return AgentSettings(server, values["directory"] or start_folder(environ), values["log_level"])
