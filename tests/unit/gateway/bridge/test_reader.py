import pytest

from bus import json
from bus.events.decode import from_json
from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.appender import Appender
from bus.redis.keys import SOURCES, lease_of, log_of
from bus.transport.codec import Batch, Heartbeat, decode
from bus.transport.publisher import Publisher
from gateway.bridge.reader import StreamReader
from tests import events


class Heard:
    """What the workers are sent: seqs, and heartbeats as negative seqs."""

    def __init__(self):
        self.seqs = []
        self.beats = []

    def send(self, data):
        frame = decode(data)
        if isinstance(frame, Batch):
            self.seqs += [envelope.seq for envelope in frame.envelopes]
        elif isinstance(frame, Heartbeat):
            self.beats.append((frame.source, frame.seq))


class Source:
    def __init__(self, client, name="p1"):
        self.client = client
        self.publisher = Publisher(Heard(), name)
        self.appender = Appender(self.publisher)
        assert self.appender.begin(client)

    def publish(self, *texts):
        for text in texts:
            self.publisher.publish(from_json(json.encode(events.delta(text))))
        self.appender.write(self.client)


@pytest.fixture
def workers():
    return Heard()


@pytest.fixture
def reader(server, workers):
    return StreamReader(RedisAddress.parse(server.url), RedisLogin(), workers)


def test_entries_are_handed_on_and_live_sources_beat(client, reader, workers):
    source = Source(client)
    source.publish("a")
    reader.look(client)
    assert reader.alive == {"p1"}
    assert workers.beats == [("p1", 1)]
    source.publish("b", "c")
    reader.read(client)
    assert workers.seqs == [2, 3]
    assert reader.mirrors["p1"].seq == 3


def test_a_source_without_a_lease_is_not_alive(client, reader, workers):
    Source(client)
    client.delete(lease_of("p1"))
    reader.look(client)
    assert reader.alive == set()
    assert workers.beats == []


def test_a_later_epoch_gets_a_new_mirror(client, reader):
    Source(client).publish("a")
    reader.look(client)
    client.delete(lease_of("p1"))
    later = Source(client)
    later.publish("b", "c")
    reader.read(client)
    assert reader.mirrors["p1"].epoch == later.publisher.epoch
    assert reader.mirrors["p1"].seq == 2
    assert reader.restarts == {"p1": 1}


def test_entries_that_are_missing_are_replaced_by_the_stored_snapshot(client, reader, workers):
    source = Source(client)
    source.publish("a")
    reader.look(client)
    source.publish("b")
    client.xdel(log_of("p1"), client.xrevrange(log_of("p1"), count=1)[0][0])
    source.publish("c")
    source.appender._store_snapshot(client)
    reader.read(client)
    assert reader.mirrors["p1"].seq == 3
    assert workers.seqs == []  # the workers ask for what they lack


def test_a_source_that_is_listed_no_longer_is_forgotten_after_a_while(client, reader, monkeypatch):
    Source(client)
    reader.look(client)
    client.delete(SOURCES)
    reader.look(client)
    assert (reader.alive, set(reader.mirrors)) == (set(), {"p1"})
    monkeypatch.setattr("gateway.bridge.reader._FORGET_S", 0.0)
    reader.look(client)
    assert reader.mirrors == {}


def test_two_sources_are_read_apart(client, reader, workers):
    one, two = Source(client, "p1"), Source(client, "p2")
    reader.look(client)
    one.publish("a", "b")
    two.publish("c")
    reader.read(client)
    assert {name: mirror.seq for name, mirror in reader.mirrors.items()} == {"p1": 2, "p2": 1}
    assert reader.alive == {"p1", "p2"}
