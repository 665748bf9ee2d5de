"""The `weir` command: one word for each part."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Sequence

from bus.flags import BadFlag, HelpAsked

_USAGE = """\
weir, the event plane for AI agent servers

  weir up         run it all: a processor and a gateway, supervised
  weir acp        the agent an editor launches (Agent Client Protocol)
  weir tail       print the live stream of a server
  weir doctor     check a running server from outside
  weir files      write the files for systemd, a container and nginx
  weir processor  run a processor alone
  weir gateway    run a gateway alone
  weir --version

`weir WORD --help` lists the flags of one; each has a WEIR_… twin in the environment."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names; return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    word = words.pop(0) if words else ""
    if word in ("--version", "-V"):
        from bus.version import installed_version

        print(f"weir {installed_version()}")
        return 0
    if word in ("", "--help", "-h", "help"):
        print(_USAGE, file=sys.stdout if word else sys.stderr)
        return 0 if word else 2
    command = _COMMANDS.get(word)
    if command is None:
        allowed = ", ".join(_COMMANDS)
        print(f"weir: {word!r} is no command; allowed are {allowed}", file=sys.stderr)
        return 2
    try:
        return command(words)
    except HelpAsked as help_text:
        print(f"weir {word}\n{help_text}")
        return 0
    except BadFlag as error:
        print(f"weir {word}: {error}", file=sys.stderr)
        return 2


def _up(words: list[str]) -> int:
    from deploy import up

    return up.run(up.read(words, os.environ))


def _tail(words: list[str]) -> int:
    from deploy import tail

    return tail.run(tail.read(words, os.environ))


def _doctor(words: list[str]) -> int:
    from deploy.doctor import command

    return command.run(command.read(words, os.environ))


def _files(words: list[str]) -> int:
    from deploy import files

    return files.run(files.read(words))


def _acp(words: list[str]) -> int:
    from acp_client.__main__ import serve
    from acp_client.settings import read

    return serve(read(words, os.environ))


def _service(module: str) -> Callable[[list[str]], int]:
    """Run a service as `python -m` would: it patches the standard library before all else."""

    def run(words: list[str]) -> int:
        sys.argv = [f"weir {module}", *words]
        runpy.run_module(module, run_name="__main__", alter_sys=False)
        return 0

    return run


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "up": _up,
    "acp": _acp,
    "tail": _tail,
    "doctor": _doctor,
    "files": _files,
    "processor": _service("processor"),
    "gateway": _service("gateway"),
}

if __name__ == "__main__":
    sys.exit(main())
