"""`weir tail`: the live stream of a server, for a person or for a machine."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from msgspec import Struct

from acp_client import decode
from acp_client.stream import EventStream, StreamRefused
from bus import flags
from bus.flags import Flag
from bus.origin import Origin
from deploy import command_line
from deploy.transcript import Transcript

_FLAGS = (
    Flag("session", flags.text("a session id"), None, "only this session"),
    Flag("directory", flags.text("a folder"), None, "only this folder"),
)


class Options(Struct, frozen=True):
    """What to follow, and how to print it."""

    server: Origin
    session: str | None
    directory: str | None
    json: bool


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options that a command line and its environment ask for.

    Raises:
        BadFlag: something is not allowed.
        HelpAsked: help was asked for.
    """
    given = command_line.read(argv, environ, _FLAGS, "print each event as a line of JSON")
    return Options(server=given.server, json=given.json, **given.values)


def run(options: Options, out: TextIO = sys.stdout) -> int:
    """Print the stream until it is interrupted or refused; return the exit status."""
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # half a surrogate pair can be said, but not written
    try:
        _print(options, out)
    except StreamRefused as refused:
        print(f"weir tail: {refused}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 0
    except KeyboardInterrupt:
        return 0
    return 0


def _print(options: Options, out: TextIO) -> None:
    transcript = Transcript(color=out.isatty())
    for event in _stream(options):
        if options.json:
            out.write(event.data.decode(errors="replace") + "\n")
        else:
            out.write(_text(event.data, transcript))
        out.flush()


def _text(data: bytes, transcript: Transcript) -> str:
    try:
        event = decode.event_of(data)
    except decode.Unreadable as error:
        _notice(f"not an event: {error}")
        return ""
    properties = json.loads(bytes(event.properties))
    return transcript.text({"type": event.type, "properties": properties})


def _stream(options: Options) -> EventStream:
    query = {"session": options.session} if options.session else {}
    if options.directory:
        query["directory"] = options.directory
        return EventStream(options.server, "/event", query, notice=_notice)
    return EventStream(options.server, "/global/event", query, notice=_notice)


def _notice(words: str) -> None:
    print(f"weir tail: {words}", file=sys.stderr, flush=True)
