"""Sources of events for the tests of a bridge, without Redis."""

from bus import json
from bus.events.decode import from_json
from bus.ledger import snapshot
from bus.transport.publisher import Publisher
from tests import events


class Unheard:
    def send(self, data):
        pass


def published(texts):
    """A publisher that has published a message's part and its deltas."""
    publisher = Publisher(Unheard(), "p1")
    publisher.publish(from_json(json.encode(events.part(""))))
    for text in texts:
        publisher.publish(from_json(json.encode(events.delta(text))))
    return publisher


def stored(publisher):
    data = snapshot.encode(publisher.ledger, "p1", publisher.epoch, publisher.seq, 0)
    return snapshot.decode(data)
