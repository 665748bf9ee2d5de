"""The `weir` command: finds the subcommand, and imports only the modules that it needs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from deploy.import_path import keep_start_folder_out
from deploy.stop_signals import hold_stops

_Command = Callable[[Sequence[str]], int]

_USAGE = """\
weir, the event plane for AI agent servers

  weir up         start weir: all of its processes, which are restarted when they fail
  weir acp        connect an editor to a server (Agent Client Protocol); the editor starts it
  weir tail       print the events of a running server
  weir doctor     check a running server, and the proxies in front of it
  weir bench      measure a running server under load
  weir token      make, list and revoke tokens
  weir share      make, list and revoke links to one session
  weir pair       show a QR code that logs a phone in
  weir files      write the files for systemd, a container and nginx
  weir processor  start only the process that runs turns and keeps sessions
  weir gateway    start only the process that serves HTTP and event streams
  weir --version  print the version

`weir COMMAND --help` lists the flags of a command. Each flag can also be set by an environment
variable: --heartbeat-ms by WEIR_HEARTBEAT_MS."""


def main() -> int:
    """Run the subcommand that the command line names; return its exit status."""
    keep_start_folder_out(os.environ)
    words = sys.argv[1:]
    word = words[0] if words else ""
    if word == "up":
        hold_stops()
    # Imported only after `keep_start_folder_out` has changed the import path.
    from bus.process import entry

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
    print(f"weir: {word!r} is not a command of weir; allowed are {allowed}", file=sys.stderr)
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


def _gateway(words: Sequence[str]) -> int:
    from bus.redis.address import is_redis
    from gateway.settings import BUS

    given = [word.removeprefix("--bus=") for word in words if word.startswith("--bus=")]
    given += [after for word, after in pairwise(words) if word == "--bus"]
    if is_redis((given or [os.environ.get(BUS.env, "")])[-1]):
        hold_stops()
        from deploy import up

        return up.run(up.read(words, os.environ, runs_turns=False))
    return _service("gateway")(words)


def _service(module: str) -> _Command:
    """Return a subcommand that does the same as ``python -m MODULE``.

    The module is imported only when the subcommand is called.
    """

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
    "gateway": _gateway,
}

if __name__ == "__main__":
    sys.exit(main())
