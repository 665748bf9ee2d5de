"""The process of `weir up --agent`: imports a function, and answers prompts with it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from bus.process import entry, logs
from bus.process.entry import CannotStart
from bus.process.flags import REQUIRED, BadFlag, Flag, Kind, one_of, read, text

# The client package's folder in a checkout; in an installed weir the client is a normal package.
_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "client")


class NoAgent(CannotStart):
    """The module or function of ``--agent`` does not exist."""

    status = 2


def _named(value: str) -> str:
    module, colon, function = value.rpartition(":")
    if not (colon and module.strip() and function.isidentifier()):
        raise ValueError
    return value


AGENT = Flag(
    "agent",
    Kind(_named, "MODULE:FUNCTION or FILE.py:FUNCTION"),
    None,
    "a function of your own that answers prompts, in a process of its own",
)
_FLAGS = (
    Flag("url", text("the URL of a weir"), REQUIRED, "where to connect"),
    Flag("agent", AGENT.kind, REQUIRED, AGENT.help),
    Flag("log-level", one_of("debug", "info", "warning", "error"), "info", "what is logged"),
)


def main(argv: Sequence[str]) -> int:
    """Answer prompts until the process is stopped; return its exit status.

    Args:
        argv: the flags, without the program's name.
    """
    values = read(argv, os.environ, _FLAGS)
    logs.configure(values["log_level"])
    sys.path.append(_CLIENT)
    import weir

    try:
        weir.serve(loaded(values["agent"]), values["url"])
    except ValueError as error:
        raise BadFlag(f"--{error}") from error
    except weir.WeirError as error:
        print(f"weir agent: {error}", file=sys.stderr)
        return 1
    return 0


def loaded(named: str) -> Callable[..., Any]:
    """Return the function of a module or a file; the start folder is searched last.

    Raises:
        NoAgent: the module or the function does not exist.
        SystemExit: the module's own code fails; its traceback is shown.
    """
    name, _, function = named.rpartition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        # The folder is searched last, so that no file in it replaces a module that other code
        # imports.
        sys.path.append(folder)
    answer = getattr(_module(name, folder), function, None)
    if not callable(answer):
        raise NoAgent(f"--agent: {name!r} has no function {function!r}")
    found: Callable[..., Any] = answer
    return found


def _module(name: str, folder: str) -> ModuleType:
    try:
        if name.endswith(".py"):
            return _of_file(os.path.join(folder, name))
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise NoAgent(
                f"--agent: no module {name!r} is installed, or is in {folder!r}"
            ) from error
        raise _failed() from error
    except FileNotFoundError as error:
        if error.filename == os.path.join(folder, name):
            raise NoAgent(f"--agent: no file {error.filename!r}") from error
        raise _failed() from error
    except Exception as error:
        raise _failed() from error


def _of_file(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("agent", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["agent"] = module
    spec.loader.exec_module(module)
    return module


def _failed() -> SystemExit:
    """Show the traceback of the user's code. With this exit status it is started again."""
    traceback.print_exc()
    return SystemExit(1)


if __name__ == "__main__":
    sys.exit(entry.run("weir agent", main, sys.argv[1:]))
