"""`weir files`: writes files for running this weir under systemd, in a container, behind nginx."""

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
# docker reads DIR to build the image; all other files in DIR are excluded.
_DOCKERIGNORE = "*\n!*.whl\n"
_OTHERS_ENTER = 0o001
# systemd accepts these characters in an argument, but not in the path of a command.
_NO_COMMAND = frozenset("\"'\\")


class FilesOptions(Struct, frozen=True):
    """The options of the command.

    Attributes:
        folder: where to write the files; None: list them.
        force: replace files that differ.
    """

    folder: Path | None = None
    force: bool = False


class Installation(Struct, frozen=True):
    """The installation of this weir.

    Attributes:
        version: of the release.
        command: the path of `weir`; None if it is not found.
        checkout: the folder of the sources; None if weir was installed from a wheel.
    """

    version: str
    command: Path | None = None
    checkout: Path | None = None


def read(argv: Sequence[str]) -> FilesOptions:
    """Return the options from a command line.

    Raises:
        BadFlag: a word is not allowed.
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
        BadFlag: a file exists and differs, or cannot be written.
    """
    if options.folder is None:
        for name, purpose in _PURPOSES.items():
            print(f"{name:14}{purpose}", file=out)
        print("`weir files DIR` writes them into DIR, with the paths of this weir.", file=out)
        return 0
    installation = _installed()
    for path in _write(options.folder, texts(installation), options.force):
        print(path, file=out)
    command = installation.command
    if command is not None and not _is_open_to_all(command):
        print(
            f"weir.service runs as a user of its own, which cannot reach {str(command)!r}; "
            "install weir where every user can, for example in /opt/weir",
            file=sys.stderr,
        )
    return 0


def texts(installation: Installation) -> dict[str, str]:
    """Return the texts of the files, by name, for one installation."""
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
                raise BadFlag(f"{str(path)!r} exists and differs; {_FORCE} replaces it")
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
    """Return a path as a word of a systemd command: quoted, with `%` escaped."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if not _NO_COMMAND.intersection(escaped):
        return f'"{escaped}"'
    return f'/usr/bin/env "{escaped.replace("$", "$$")}"'


def _yaml_word(path: Path) -> str:
    """Return a path as a YAML word for compose: quoted, with `$` escaped."""
    return json.dumps(str(path).replace("$", "$$"), ensure_ascii=False)


def _is_open_to_all(command: Path) -> bool:
    """Return whether every user can reach a command, and the target if it is a link."""
    folders = {*command.parents, *command.resolve().parents}
    return all(folder.stat().st_mode & _OTHERS_ENTER for folder in folders)
