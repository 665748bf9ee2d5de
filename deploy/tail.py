"""`weir tail`: prints the live stream of a server, for a person or for a machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from msgspec import Struct

from acp_client.api.stream import FOR_EYES, EventStream, StreamRefused
from acp_client.protocol import decode, wire
from bus.events.catalogue import SERVER_CONNECTED
from bus.origin import Origin
from bus.process import flags
from bus.process.flags import Flag, Kind
from bus.sse import ServerSentEvent
from deploy import command_line
from deploy.past import NoSession, Past
from deploy.terminal import has_colour, shown_json, shown_line
from deploy.transcript.page import TranscriptPage
from deploy.transcript.transcript import Transcript

# Relative to the working folder of the command; the server resolves links.
_FOLDER = Kind(lambda given: os.path.abspath(flags.text("").parse(given)), "a folder")
_FLAGS = (
    Flag(
        "session", flags.text("a session id"), None, "only this session, with its earlier messages"
    ),
    Flag("directory", _FOLDER, None, "only this folder"),
    Flag("lines", flags.whole(0, 1000000), 10, "lines of a tool's output or diff to show; 0: all"),
)
_LONGEST_WAIT_S = 5.0
"""Between two attempts to connect: short, since a person is watching."""


class TailOptions(Struct, frozen=True):
    """What to follow, and the form of the output."""

    server: Origin
    session: str | None
    directory: str | None
    json: bool
    lines: int = 10


def read(argv: Sequence[str], environ: Mapping[str, str]) -> TailOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    given = command_line.read(argv, environ, _FLAGS, "print each event as a line of JSON")
    return TailOptions(server=given.server, json=given.json, **given.values)


def run(options: TailOptions, out: TextIO) -> int:
    """Print the stream until it is interrupted or refused; return the exit status."""
    notices = Notices(options.server, out.isatty())
    try:
        for text in (_machine if options.json else _person)(options, out, notices):
            out.write(text)
            out.flush()
    except (StreamRefused, NoSession) as refused:
        notices.say(str(refused))
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


class Notices:
    """Messages on standard error.

    Args:
        server: the server that is followed.
        greets: report that the stream is open: a quiet server shows nothing else.
    """

    def __init__(self, server: Origin, greets: bool) -> None:
        self._opened = f"following {server}" if greets else ""
        self._cause = ""

    def say(self, words: str) -> None:
        print(f"weir tail: {shown_line(words)}", file=sys.stderr, flush=True)

    def lost(self, words: str) -> None:
        """Report that the stream is lost, once if the same cause repeats."""
        cause = words.partition(";")[0]
        if cause != self._cause:
            self._cause, self._opened = cause, "connected again"
            self.say(words)

    def heard(self) -> None:
        """Report that the stream is open, if this is not known yet."""
        if self._opened:
            self.say(self._opened)
            self._cause = self._opened = ""


def _machine(options: TailOptions, out: TextIO, notices: Notices) -> Iterator[str]:
    """Yield each event as a line of JSON, for a terminal without control characters."""
    for event in _stream(options, notices):
        line = event.data.decode(errors="replace")
        yield (shown_json(line) if out.isatty() else line) + "\n"


def _person(options: TailOptions, out: TextIO, notices: Notices) -> Iterator[str]:
    transcript = Transcript(TranscriptPage(has_colour(out, os.environ)), options.lines)
    past = Past(options.server, options.session, options.directory)
    for frame in _stream(options, notices):
        try:
            event = decode.event_of(frame.data)
        except decode.UnreadableAnswer as error:
            notices.say(f"not an event: {error}")
            continue
        if event.type == SERVER_CONNECTED:
            # After the stream is open, so that nothing is lost between the past and the stream.
            yield from past.since_last_time(transcript, _resumed(event), notices.say)
        elif options.session in (None, decode.session_of(event)):
            properties = json.loads(bytes(event.properties))
            yield transcript.text({"type": event.type, "properties": properties})


def _resumed(event: wire.Event) -> bool | None:
    try:
        return decode.properties_of(event, wire.Connected).resumed
    except decode.UnreadableAnswer:
        return None


def _stream(options: TailOptions, notices: Notices) -> Iterator[ServerSentEvent]:
    query = {"frame_hz": "0"} if options.json else dict(FOR_EYES)
    if options.session:
        query["session"] = options.session
    path = "/event" if options.directory else "/global/event"
    if options.directory:
        query["directory"] = options.directory
    stream = EventStream(
        options.server, path, query, notice=notices.lost, longest_wait_s=_LONGEST_WAIT_S
    )
    for event in stream:
        notices.heard()
        yield event
