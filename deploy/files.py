"""`weir files`: writes the files to run this weir under systemd, in a container, behind nginx."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from bus.process.flags import BadFlag, HelpAsked
from bus.process.version import DISTRIBUTION, installed_version

_HERE = Path(__file__).parent
_PURPOSES = {
    "weir.service": "runs weir under systemd",
    "compose.yaml": "runs weir in a container",
    "nginx.conf": "nginx in front of weir, for TLS with HTTP/2",
}
_FORCE = "--force"
_HELP = f"""\
  [DIR]
      where to write the files; without DIR they are listed
  {_FORCE}
      replace files in DIR that differ"""
# docker sends all files of DIR to its daemon to build the image. All but a wheel are excluded.
_DOCKERIGNORE = "*\n!*.whl\n"
_OTHERS_ENTER = 0o001
# systemd does not accept these characters in the path of a command, only in its arguments.
_NO_COMMAND = frozenset("\"'\\")


class FilesOptions(Struct, frozen=True):
    """The options of `weir files`.

    Attributes:
        folder: the folder to write the files to; None: only list the files.
        force: whether to replace files that exist with another content.
    """

    folder: Path | None = None
    force: bool = False


class Installation(Struct, frozen=True):
    """Where this weir is installed, for the paths in the files.

    Attributes:
        version: the version of weir.
        command: the path of the program `weir`; None if it is not found.
        checkout: the folder of the repository; None if weir was installed from a wheel.
    """

    version: str
    command: Path | None = None
    checkout: Path | None = None


def read(argv: Sequence[str]) -> FilesOptions:
    """Return the options from the command line.

    Raises:
        BadFlag: a word of the command line is not allowed.
        HelpAsked: ``--help`` was given.
    """
    if {"--help", "-h"}.intersection(argv):
        raise HelpAsked(_HELP)
    words = [word for word in argv if word != _FORCE]
    for word in words:
        if word.startswith("-"):
            raise BadFlag(f"{word}: unknown; allowed is {_FORCE}")
    if len(words) > 1 or "" in words:
        raise BadFlag(f"{words[-1]!r} is not allowed; allowed is one folder")
    return FilesOptions(Path(words[0]) if words else None, _FORCE in argv)


def run(options: FilesOptions, out: TextIO = sys.stdout) -> int:
    """List the files, or write them; return the exit status.

    Raises:
        BadFlag: a file exists with another content, or cannot be written.
    """
    if options.folder is None:
        for name, purpose in _PURPOSES.items():
            print(f"{name:14}{purpose}", file=out)
        print(
            "`weir files DIR` writes these files into DIR, with the paths of this weir.", file=out
        )
        return 0
    installation = _installed()
    for path in _write(options.folder, texts(installation), options.force):
        print(path, file=out)
    command = installation.command
    if command is not None and not _is_open_to_all(command):
        print(
            f"weir files: warning: weir.service runs as a separate user, who cannot reach "
            f"{str(command)!r}; install weir in a folder that every user can reach, for example "
            "/opt/weir",
            file=sys.stderr,
        )
    return 0


def texts(installation: Installation) -> dict[str, str]:
    """Return the files that `weir files` writes, as texts by file name.

    The paths of the installation are filled into the unit of systemd and the Compose file.
    """
    files = {name: (_HERE / name).read_text(encoding="utf-8") for name in _PURPOSES}
    unit, compose = files["weir.service"], files["compose.yaml"]
    if installation.command is not None:
        unit = _with(unit, '"/opt/weir/.venv/bin/weir"', _unit_word(installation.command))
    if installation.checkout is not None:
        compose = _with(compose, "context: ..", f"context: {_yaml_word(installation.checkout)}")
    else:
        compose = _with(compose, "context: ..", "context: .")
        compose = _with(compose, "WEIR: .", f"WEIR: {DISTRIBUTION}=={installation.version}")
        files[".dockerignore"] = _DOCKERIGNORE
    return {**files, "weir.service": unit, "compose.yaml": compose}


def _installed() -> Installation:
    called = Path(sys.argv[0]).absolute()
    command = called if called.name == "weir" else Path(sysconfig.get_path("scripts"), "weir")
    checkout = _HERE.parent
    return Installation(
        installed_version(),
        command if command.is_file() else None,
        checkout if (checkout / "pyproject.toml").is_file() else None,
    )


def _write(folder: Path, files: Mapping[str, str], force: bool) -> list[Path]:
    data = {folder / name: text.encode("utf-8", "surrogateescape") for name, text in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in data.items():
            if not force and path.exists() and path.read_bytes() != content:
                raise BadFlag(
                    f"{str(path)!r} exists with another content; {_FORCE} replaces the file"
                )
        for path, content in data.items():
            path.write_bytes(content)
    except OSError as error:
        what = str(error.filename or folder)
        raise BadFlag(f"{what!r} cannot be written: {error.strerror}") from error
    return list(data)


def _with(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} is to be there once"
    return text.replace(old, new)


def _unit_word(path: Path) -> str:
    """Return a path as a word of a command in a systemd unit: quoted, and `%` escaped."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if not _NO_COMMAND.intersection(escaped):
        return f'"{escaped}"'
    return f'/usr/bin/env "{escaped.replace("$", "$$")}"'


def _yaml_word(path: Path) -> str:
    """Return a path as a YAML string in compose.yaml: quoted, and `$` escaped."""
    return json.dumps(str(path).replace("$", "$$"), ensure_ascii=False)


def _is_open_to_all(command: Path) -> bool:
    """Return whether every user can reach the file of a command; of a link, also its target."""
    folders = {*command.parents, *command.resolve().parents}
    return all(folder.stat().st_mode & _OTHERS_ENTER for folder in folders)
