"""`weir tail`: prints the events of a server as they happen, as text or as lines of JSON."""

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

# A relative path begins at the current folder. Symbolic links are left to the server.
_FOLDER = Kind(lambda given: os.path.abspath(flags.text("").parse(given)), "a folder")
_FLAGS = (
    Flag(
        "session",
        flags.text("a session id"),
        None,
        "print only the events of this session, after its earlier messages",
    ),
    Flag("directory", _FOLDER, None, "print only the events of sessions in this folder"),
    Flag(
        "lines",
        flags.whole(0, 1000000),
        10,
        "how many lines of a tool's output or diff to print; 0: all",
    ),
)
_LONGEST_WAIT_S = 5.0
"""The longest wait between two attempts to connect. It is short, because a person is watching."""


class TailOptions(Struct, frozen=True):
    """The options of `weir tail`.

    Attributes:
        server: the address of the server, and the login to send.
        session: the id of the only session to print; None: all sessions.
        directory: the only folder to print events of; None: all folders.
        json: whether to print lines of JSON instead of text.
        lines: how many lines of a tool's output to print; 0: all.
    """

    server: Origin
    session: str | None
    directory: str | None
    json: bool
    lines: int = 10


def read(argv: Sequence[str], environ: Mapping[str, str]) -> TailOptions:
    """Return the options from the command line and the environment variables.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    given = command_line.read(argv, environ, _FLAGS, "print each event as a line of JSON")
    return TailOptions(server=given.server, json=given.json, **given.values)


def run(options: TailOptions, out: TextIO) -> int:
    """Print events until Ctrl-C, or until the server refuses; return the exit status."""
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
    """Writes messages about the connection to standard error, apart from the events.

    Args:
        server: the address of the server.
        greets: whether to say that the stream is open, because a server may have no events.
    """

    def __init__(self, server: Origin, greets: bool) -> None:
        self._opened = f"following {server}" if greets else ""
        self._cause = ""

    def say(self, words: str) -> None:
        print(f"weir tail: {shown_line(words)}", file=sys.stderr, flush=True)

    def lost(self, words: str) -> None:
        """Write that the connection is lost; a cause that repeats is written once."""
        cause = words.partition(";")[0]
        if cause != self._cause:
            self._cause, self._opened = cause, "connected again"
            self.say(words)

    def heard(self) -> None:
        """Write that the stream is open, if it was not open before."""
        if self._opened:
            self.say(self._opened)
            self._cause = self._opened = ""


def _machine(options: TailOptions, out: TextIO, notices: Notices) -> Iterator[str]:
    """Yield each event as a line of JSON; on a terminal, control characters are escaped."""
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
            notices.say(f"an event of the server is not printed, because it is malformed: {error}")
            continue
        if event.type == SERVER_CONNECTED:
            # The earlier messages are fetched only after the stream is open. Otherwise events in
            # between would be lost.
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
