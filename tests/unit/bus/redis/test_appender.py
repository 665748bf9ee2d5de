import time
import zlib

import pytest

from bus import json
from bus.events.decode import from_json
from bus.ledger import snapshot
from bus.redis import lease
from bus.redis.appender import Appender
from bus.redis.keys import commands_of, lease_of, log_of, snapshot_of
from bus.redis.lease import SourceTaken
from bus.transport.codec import decode
from bus.transport.publisher import Publisher
from tests import events


class Unheard:
    def send(self, data):
        pass


@pytest.fixture
def publisher():
    return Publisher(Unheard(), "p1")


def publish(publisher, count, size=1):
    for _ in range(count):
        publisher.publish(from_json(json.encode(events.delta("x" * size))))


def texts(client, source="p1"):
    """The seqs in a stream, in order."""
    found = []
    for _, fields in client.xrange(log_of(source)):
        if b"b" in fields:
            found += [envelope.seq for envelope in decode(fields[b"b"]).envelopes]
    return found


def started(client, publisher, **how):
    appender = Appender(publisher, **how)
    assert appender.begin(client)
    return appender


def test_the_journal_is_in_the_stream_after_a_mark_of_its_epoch(client, publisher):
    client.rpush(commands_of("p1"), b"for an earlier epoch")
    appender = started(client, publisher)
    publish(publisher, 3000)
    appender.write(client)
    first, *_ = client.xrange(log_of("p1"))
    assert first[1] == {b"e": publisher.epoch.encode()}
    assert first[0].endswith(b"-0")
    assert texts(client) == list(range(1, 3001))
    assert client.xrevrange(log_of("p1"), count=1)[0][0].endswith(b"-3000")
    assert client.get(lease_of("p1")).decode() == publisher.epoch
    assert client.zscore("weir1:sources", "p1") > 0
    assert not client.exists(commands_of("p1"))


def test_after_a_lost_connection_it_goes_on_where_redis_stands(client, publisher):
    appender = started(client, publisher)
    publish(publisher, 10)
    appender.write(client)
    publish(publisher, 10)
    appender.write(client)
    appender.begin(client)  # what was written came through
    publish(publisher, 5)
    appender.write(client)
    assert texts(client) == list(range(1, 26))


def test_what_a_new_primary_lacks_is_written_again(client, publisher):
    appender = started(client, publisher)
    for _ in range(3):
        publish(publisher, 10)
        appender.write(client)
    names = [name for name, _ in client.xrange(log_of("p1"))]
    kept = [(name, fields) for name, fields in client.xrange(log_of("p1")) if name != names[-1]]
    client.delete(log_of("p1"))  # a stream keeps its last id even if that entry is deleted
    for name, fields in kept:
        client.xadd(log_of("p1"), fields, id=name)
    assert texts(client)[-1] == 20
    appender.begin(client)
    appender.write(client)
    assert texts(client) == list(range(1, 31))


def test_an_empty_redis_gets_everything_again(client, publisher):
    appender = started(client, publisher)
    publish(publisher, 10)
    appender.write(client)
    client.flushall()
    assert appender.begin(client)
    appender.write(client)
    assert texts(client) == list(range(1, 11))
    assert client.exists(snapshot_of("p1"))


def test_events_past_the_journal_are_replaced_by_a_snapshot(client, publisher):
    appender = started(client, publisher)
    publisher.publish(from_json(json.encode(events.part(""))))
    publish(publisher, 3000, size=20_000)
    assert publisher.journal.tail > 2
    appender.write(client)
    assert texts(client) == []
    assert snapshot.decode(zlib.decompress(client.get(snapshot_of("p1")))).seq == 3001
    publish(publisher, 1)
    appender.write(client)
    assert texts(client) == [3002]


def test_a_later_epoch_fences_an_earlier_one(client, publisher):
    earlier = started(client, publisher)
    publish(publisher, 1)
    earlier.write(client)
    client.delete(lease_of("p1"))  # it has expired
    time.sleep(0.002)  # an epoch is named by its start in ms
    later = Publisher(Unheard(), "p1")
    started(client, later)
    publish(publisher, 1)
    with pytest.raises(SourceTaken):
        earlier.write(client)
    with pytest.raises(SourceTaken):
        earlier.sign(client)
    client.delete(lease_of("p1"))
    with pytest.raises(SourceTaken):
        earlier.begin(client)


def test_a_later_epoch_waits_for_the_lease(client, publisher):
    earlier = started(client, publisher)
    time.sleep(0.002)
    later = Appender(Publisher(Unheard(), "p1"))
    assert not later.begin(client)
    earlier.end(client)
    assert later.begin(client)


def test_a_lease_expires(client, publisher):
    started(client, publisher)
    assert 0 < client.pttl(lease_of("p1")) <= lease.LEASE_S * 1000


def test_a_stream_is_trimmed_to_its_bytes(client, publisher):
    appender = started(client, publisher, stream_bytes=200_000)
    for _ in range(300):
        publish(publisher, 10, size=1000)
        appender.write(client)
    kept = texts(client)
    assert kept == list(range(kept[0], 3001))
    assert 100 < len(kept) < 2000


def test_a_snapshot_is_stored_after_so_many_bytes(client, publisher, monkeypatch):
    appender = started(client, publisher)
    publish(publisher, 10)
    appender.write(client)
    appender.keep(client)
    assert snapshot.decode(zlib.decompress(client.get(snapshot_of("p1")))).seq == 0
    monkeypatch.setattr("bus.redis.appender.SNAPSHOT_BYTES", 100)
    appender.keep(client)
    assert snapshot.decode(zlib.decompress(client.get(snapshot_of("p1")))).seq == 10
