"""Raw events as envelopes, and what a reader of a relay gets of them as raw events again."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bus.envelope import Envelope
from bus.events import from_json
from bus.sse import EventStreamParser, ServerSentEvent
from gateway.relay import Cursor, Endpoint, Relay, View

Event = dict[str, Any]

DIRECTORY = "/srv/demo/proj1"


def enveloped(
    events: Iterable[Event], directory: str | None = DIRECTORY, source: str = "p1"
) -> list[Envelope]:
    """Put raw events in envelopes of one source, seq from 1."""
    return [
        Envelope(source, f"{source}epoch", seq, seq, directory, None, None, from_json(dump(event)))
        for seq, event in enumerate(events, start=1)
    ]


def wrapped(envelopes: Iterable[Event]) -> list[Envelope]:
    """Put `/global/event` objects (``{"directory", "project"?, "payload"}``) in envelopes."""
    return [
        Envelope(
            "p1",
            "p1epoch",
            seq,
            seq,
            wire.get("directory"),
            wire.get("project"),
            wire.get("workspace"),
            from_json(dump(wire["payload"])),
        )
        for seq, wire in enumerate(envelopes, start=1)
    ]


def raw(envelopes: Iterable[Envelope]) -> list[Event]:
    """Return the events of envelopes as JSON objects."""
    return [json.loads(envelope.event.json()) for envelope in envelopes]


def deliveries(relay: Relay, cursor: Cursor, view: View) -> Iterator[list[ServerSentEvent]]:
    """Yield what a reader gets with each step, until it has all there is."""
    parser = EventStreamParser()
    while (step := relay.step(cursor, view)) is not None:
        cursor = step.cursor
        yield [event for piece in step.pieces for event in parser.feed(piece)]


def everything(relay: Relay, cursor: Cursor, view: View) -> list[Event]:
    """Return all that a reader gets from `cursor` on, as JSON objects."""
    return [json.loads(e.data) for step in deliveries(relay, cursor, view) for e in step]


def instance(**filters: Any) -> View:
    """Return the view of an `/event` reader."""
    return View(Endpoint.INSTANCE, directory=DIRECTORY, **filters)


def dump(event: Event) -> bytes:
    """Return the JSON of an event, with text as it is."""
    return json.dumps(event, ensure_ascii=False).encode()
