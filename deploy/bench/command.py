"""The `weir bench` command: its flags, its output, and its exit status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

import msgspec
from msgspec import Struct

from acp_client.api.server import ServerFailure
from bus.origin import Origin
from bus.process import flags
from bus.process.entry import CannotStart
from bus.process.flags import Flag
from deploy import command_line
from deploy.bench.crowd import CrowdFailed
from deploy.bench.load import Load, Measured, measure
from deploy.bench.table import table
from deploy.bench.verdict import verdict
from deploy.terminal import shown_json, shown_line

_FLAGS = (
    Flag("readers", flags.whole(1, 10_000), 50, "how many event streams to keep open"),
    Flag(
        "seconds",
        flags.number(1, 600, "seconds"),
        5.0,
        "how long to measure without events, and then with steady events",
    ),
)
_HEAD = ["work", "s", "delay p50 ms", "p99 ms", "health p50 ms", "p99 ms"]


class BenchOptions(Struct, frozen=True):
    """The options of `weir bench`.

    Attributes:
        server: the address of the server, and the login to send.
        load: the amount of load.
        json: whether to print JSON instead of text.
    """

    server: Origin
    load: Load
    json: bool


class BenchFailed(CannotStart):
    """The server cannot be measured; the message says why."""


def read(argv: Sequence[str], environ: Mapping[str, str]) -> BenchOptions:
    """Return the options from the command line and the environment variables.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    words = list(argv)
    if words and not words[0].startswith("-"):
        words[:1] = ["--url", words[0]]
    given = command_line.read(words, environ, _FLAGS, "print what was measured as one object")
    return BenchOptions(given.server, Load(**given.values), given.json)


def run(options: BenchOptions, out: TextIO) -> int:
    """Measure a server, and print the result.

    Returns:
        The exit status: 1 if readers lack text, or the server was too slow; otherwise 0.

    Raises:
        BenchFailed: the server cannot be reached, or refuses a request.
    """
    measured: list[Measured] = []
    try:
        for one in measure(options.server, options.load):
            measured.append(one)
            if not options.json and out.isatty():
                print(f"{one.work}: done", file=out, flush=True)
    except (ServerFailure, CrowdFailed, EOFError, TimeoutError) as error:
        raise BenchFailed(shown_line(str(error))) from error
    found = verdict(measured)
    if options.json:
        said = {"url": str(options.server), "ok": found.well, "verdict": found.words}
        said["measured"] = [msgspec.to_builtins(one) for one in measured]
        print(shown_json(msgspec.json.encode(said).decode()), file=out)
    else:
        print(f"{table(_HEAD, [_row(one) for one in measured])}\n", file=out)
        print("\n".join(found.words), file=out)
    return 0 if found.well else 1


def _row(one: Measured) -> list[str]:
    delays, health = one.delays, one.health
    return [
        one.work,
        f"{one.seconds:.2f}",
        *([f"{delays.p50:.1f}", f"{delays.p99:.1f}"] if delays else ["-", "-"]),
        f"{health.p50:.1f}",
        f"{health.p99:.1f}",
    ]
