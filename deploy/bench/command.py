"""The `weir bench` command: its flags, what it prints, and its exit status."""

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
    Flag("readers", flags.whole(1, 10_000), 50, "event streams to hold open"),
    Flag("seconds", flags.number(1, 600, "seconds"), 5.0, "length of the idle and steady parts"),
)
_HEAD = ["work", "s", "delay p50 ms", "p99 ms", "health p50 ms", "p99 ms"]


class BenchOptions(Struct, frozen=True):
    """The server, the load, and the form of the output."""

    server: Origin
    load: Load
    json: bool


class BenchFailed(CannotStart):
    """The server cannot be measured."""


def read(argv: Sequence[str], environ: Mapping[str, str]) -> BenchOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    words = list(argv)
    if words and not words[0].startswith("-"):
        words[:1] = ["--url", words[0]]
    given = command_line.read(words, environ, _FLAGS, "print what was measured as one object")
    return BenchOptions(given.server, Load(**given.values), given.json)


def run(options: BenchOptions, out: TextIO) -> int:
    """Measure a server and print the result; return 1 if the server has lost or cut something.

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
