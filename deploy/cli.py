"""The `weir` command: one subcommand for each part."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from deploy.import_path import keep_start_folder_out
from deploy.stop_signals import hold_stops

_Command = Callable[[Sequence[str]], int]

_USAGE = """\
weir, the event plane for AI agent servers

  weir up         run a whole local deployment: a processor and a gateway, supervised
  weir acp        the agent an editor launches (Agent Client Protocol)
  weir tail       print the live stream of a server
  weir doctor     check a running server from outside
  weir bench      measure a running server under load
  weir token      make, list and revoke tokens
  weir share      make, list and revoke links to one session
  weir pair       show a QR code that logs a phone in
  weir files      write the files for systemd, a container and nginx
  weir processor  run a processor alone
  weir gateway    run a gateway alone
  weir --version

`weir COMMAND --help` lists the flags of a command; each has a WEIR_… twin in the environment."""


def main() -> int:
    """Run the command in the command line; return the exit status."""
    keep_start_folder_out(os.environ)
    words = sys.argv[1:]
    word = words[0] if words else ""
    if word == "up":
        hold_stops()
    from bus.process import entry  # after the import path was changed

    command = _COMMANDS.get(word)
    if command is None:
        return entry.run("weir", _without_command, words)
    return entry.run(f"weir {word}", command, words[1:])


def _without_command(words: Sequence[str]) -> int:
    word = words[0] if words else ""
    if word in ("--version", "-V"):
        from bus.process.version import installed_version

        print(f"weir {installed_version()}")
        return 0
    if word in ("", "--help", "-h", "help"):
        print(_USAGE, file=sys.stdout if word else sys.stderr)
        return 0 if word else 2
    allowed = ", ".join(_COMMANDS)
    print(f"weir: {word!r} is not a command; allowed are {allowed}", file=sys.stderr)
    return 2


def _up(words: Sequence[str]) -> int:
    from deploy import up

    return up.run(up.read(words, os.environ))


def _tail(words: Sequence[str]) -> int:
    from deploy import tail

    return tail.run(tail.read(words, os.environ), sys.stdout)


def _doctor(words: Sequence[str]) -> int:
    from deploy.doctor import command

    return command.run(command.read(words, os.environ), sys.stdout)


def _bench(words: Sequence[str]) -> int:
    from deploy.bench import command

    return command.run(command.read(words, os.environ), sys.stdout)


def _files(words: Sequence[str]) -> int:
    from deploy import files

    return files.run(files.read(words))


def _token(words: Sequence[str]) -> int:
    from deploy import token

    return token.main(words)


def _share(words: Sequence[str]) -> int:
    from deploy import share

    return share.main(words)


def _pair(words: Sequence[str]) -> int:
    from deploy import pair

    return pair.main(words)


def _service(module: str) -> _Command:
    """Return the command that ``python -m`` runs; it imports the package when it is called."""

    def run(words: Sequence[str]) -> int:
        command: _Command = importlib.import_module(f"{module}.__main__").main
        return command(words)

    return run


_COMMANDS: dict[str, _Command] = {
    "up": _up,
    "acp": _service("acp_client"),
    "tail": _tail,
    "doctor": _doctor,
    "bench": _bench,
    "files": _files,
    "token": _token,
    "share": _share,
    "pair": _pair,
    "processor": _service("processor"),
    "gateway": _service("gateway"),
}

if __name__ == "__main__":
    sys.exit(main())
