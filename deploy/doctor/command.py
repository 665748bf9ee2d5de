"""The `weir doctor` command: its flags, its output, and its exit status."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import TextIO

import msgspec
from msgspec import Struct

from bus.process import flags
from bus.process.entry import OutputLost, point_at_null
from bus.process.flags import Flag
from deploy import command_line
from deploy.doctor.examination import examine
from deploy.doctor.examined_server import ExaminedServer
from deploy.doctor.finding import Finding
from deploy.doctor.stream import ExpectedPace
from deploy.terminal import shown_json
from gateway.settings import GATEWAY_FLAGS, LONGEST_HOLD_S

_HEARTBEAT = next(flag for flag in GATEWAY_FLAGS if flag.name == "heartbeat-ms")
_FLAGS = (
    Flag("timeout", flags.number(0.1, 60, "seconds"), 5.0, "how long to wait for each answer"),
    _HEARTBEAT,
    Flag(
        "hold",
        flags.whole(0, LONGEST_HOLD_S),
        65,
        "if a proxy may be in between, how many seconds a request waits for its answer, to see "
        "whether the proxy cuts it; 0: skip this check",
    ),
)
_INTERRUPTED = 130


class DoctorOptions(Struct, frozen=True):
    """The options of one run.

    Attributes:
        server: the server to examine.
        pace: the times that the server's event stream should keep.
        json: whether to print JSON instead of text.
    """

    server: ExaminedServer
    pace: ExpectedPace
    json: bool


def read(argv: Sequence[str], environ: Mapping[str, str]) -> DoctorOptions:
    """Return the options from the command line and the environment variables.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    given = command_line.read(argv, environ, _FLAGS, "print all findings as one object")
    timeout_s = given.values["timeout"]
    pace = ExpectedPace(given.values["heartbeat_ms"] / 1000, timeout_s, given.values["hold"])
    return DoctorOptions(ExaminedServer(given.server, timeout_s), pace, given.json)


def run(options: DoctorOptions, out: TextIO) -> int:
    """Examine a server, and print the findings; return the exit status, 1 if a check failed."""
    try:
        return 0 if _report(options, out) else 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OutputLost as lost:
        if lost.errno != errno.EPIPE:
            raise
        point_at_null(1)
        return 1


def _report(options: DoctorOptions, out: TextIO) -> bool:
    findings = []
    for finding in examine(options.server, options.pace):
        findings.append(finding)
        if not options.json:
            print(finding, file=out, flush=True)
    well = all(finding.level != "fail" for finding in findings)
    if options.json:
        print(_json(options, findings, well), file=out)
    return well


def _json(options: DoctorOptions, findings: list[Finding], well: bool) -> str:
    url = str(options.server.origin)
    said = msgspec.json.encode({"url": url, "ok": well, "checks": findings}).decode()
    return shown_json(said)
