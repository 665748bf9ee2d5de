"""A relay, a worker that has joined by a snapshot, and what a reader of either gets."""

import json

from bus.ledger import Ledger, snapshot
from bus.sse import EventStreamParser
from bus.transport.clone import Cloned
from gateway.relay import Log, Relay, enter
from tests.envelopes import deliveries

NOW = 1_000_000_000


def relay_of(*batches, **bounds):
    relay = Relay(Log(**bounds))
    for batch in batches:
        relay.append(batch)
    return relay


def told(entrance, view):
    """What a reader is told as it comes in, as SSE events."""
    parser = EventStreamParser()
    return [e for piece in entrance.pieces(view.endpoint) for e in parser.feed(piece)]


def rest_of_stream(relay, last_id, view):
    """All that a reader gets that names this id, its entrance included, as SSE events."""
    entrance = enter(relay, last_id, view, NOW)
    steps = deliveries(relay, entrance.cursor, view)
    return entrance, [*told(entrance, view), *(event for step in steps for event in step)]


def wires(events):
    return [json.loads(event.data) for event in events]


def cloned(envelopes, journal_from):
    """What a source tells that has published these, with the journal from a seq on."""
    ledger = Ledger()
    ledger.note(envelopes)
    last = envelopes[-1]
    data = snapshot.encode(ledger, last.source, last.epoch, last.seq, journal_from)
    return Cloned(snapshot.decode(data), [e for e in envelopes if e.seq > journal_from])


def clone_of(envelopes, journal_from):
    """A worker that has joined by a snapshot."""
    relay = Relay()
    relay.load(cloned(envelopes, journal_from))
    return relay
