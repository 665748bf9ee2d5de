"""The process that `weir up --agent` starts: imports the user's function, and serves prompts."""

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

# The folder with the package `weir` (for agents) in a checkout. If weir is installed, Python finds
# the package without this folder.
_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "client")


class NoAgent(CannotStart):
    """The module or the function that ``--agent`` names does not exist."""

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
    "a Python function of yours that answers all prompts in place of a model; weir runs the "
    "function in a supervised process",
)
_FLAGS = (
    Flag("url", text("the URL of a weir"), REQUIRED, "the URL of the weir to connect to"),
    Flag("agent", AGENT.kind, REQUIRED, AGENT.help),
    Flag(
        "log-level",
        one_of("debug", "info", "warning", "error"),
        "info",
        "the least severe messages to log",
    ),
)


def main(argv: Sequence[str]) -> int:
    """Answer prompts until the process is stopped; return the exit status.

    Args:
        argv: the words of the command line, without the program's name.
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
    """Import the function that ``--agent`` names, ``MODULE:FUNCTION`` or ``FILE.py:FUNCTION``.

    Raises:
        NoAgent: the module or the function does not exist.
        SystemExit: the code of the module has raised an exception; its traceback is printed.
    """
    name, _, function = named.rpartition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        # The current folder is searched last: a file in it, such as `json.py`, must not replace a
        # module that other code imports.
        sys.path.append(folder)
    answer = getattr(_module(name, folder), function, None)
    if not callable(answer):
        raise NoAgent(
            f"--agent: there is no function {function!r} in {name!r}; allowed is "
            "MODULE:FUNCTION or FILE.py:FUNCTION"
        )
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
                f"--agent: there is no module {name!r}, neither installed nor in the folder "
                f"{folder!r}"
            ) from error
        raise _failed() from error
    except FileNotFoundError as error:
        if error.filename == os.path.join(folder, name):
            raise NoAgent(f"--agent: the file {error.filename!r} does not exist") from error
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
    """Print the traceback of the user's code; return an exit that makes the supervisor try again.

    Exit status 2 would end `weir up`, as bad flags do; with status 1 the process is restarted.
    """
    traceback.print_exc()
    return SystemExit(1)


if __name__ == "__main__":
    sys.exit(entry.run("weir agent", main, sys.argv[1:]))
