"""`weir tail`: the live stream of a server, for a person or for a machine."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO
from urllib.parse import urlsplit

from msgspec import Struct

from acp_client.stream import EventStream, StreamRefused
from bus import flags
from bus.flags import Flag, HelpAsked, Kind
from deploy.transcript import Transcript


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError
    if not value.isprintable():
        raise ValueError
    return value


_URL = Kind(_url, "http://HOST:PORT or https://HOST:PORT")
_JSON_HELP = "  --json\n      print each event as a line of JSON"
_FLAGS = (
    Flag("url", _URL, "http://127.0.0.1:4097", "the server"),
    Flag("session", flags.text("a session id"), None, "only this session"),
    Flag("directory", flags.text("a folder"), None, "only this folder"),
)


class Options(Struct, frozen=True):
    """What to follow, and how to print it."""

    url: str
    session: str | None
    directory: str | None
    json: bool


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options that a command line asks for.

    Raises:
        BadFlag: something is not allowed.
        HelpAsked: help was asked for.
    """
    as_json = "--json" in argv
    rest = [word for word in argv if word != "--json"]
    try:
        return Options(json=as_json, **flags.read(rest, environ, _FLAGS))
    except HelpAsked as help_text:
        raise HelpAsked(f"{help_text}\n{_JSON_HELP}") from None


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
            wire = json.loads(event.data)
            out.write(transcript.text(wire.get("payload", wire)))
        out.flush()


def _stream(options: Options) -> EventStream:
    query = {"session": options.session} if options.session else {}
    if options.directory:
        query["directory"] = options.directory
        return EventStream(options.url, "/event", query, notice=_notice)
    return EventStream(options.url, "/global/event", query, notice=_notice)


def _notice(words: str) -> None:
    print(f"weir tail: {words}", file=sys.stderr, flush=True)
