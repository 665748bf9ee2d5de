"""A reader that comes from a worker which has heard more: this one waits until it has, too."""

import pytest

from tests.blackbox.follower import following, gateway
from tests.blackbox.source import MARKER, source
from tests.events import about, delta, part
from tests.raw_client import RawClient

MESSAGE = about("message.updated", info={"id": "msg", "sessionID": "ses", "role": "assistant"})
EARLY = [MESSAGE, part("", time={"start": 1}), delta("a"), delta("b")]
LATE = [delta("c"), delta("d")]
LONGER_THAN_COMMENTS = 3
"""One a second."""


@pytest.fixture
def two(short_folder):
    """Two gateways, and what each of them hears: one processor, as far as they can tell."""
    for name in ("here", "there"):
        (short_folder / name).mkdir()
    with (
        source(short_folder / "here" / "bus") as here,
        source(short_folder / "there" / "bus") as there,
        gateway(short_folder / "here", here.url) as (_, url),
        gateway(short_folder / "there", there.url) as (_, other_url),
    ):
        there.publisher.epoch = here.publisher.epoch
        for one in (here, there):
            one.wait_for_workers(1)
        yield (here, url), (there, other_url)


def follow(source, url, events):
    """Have a gateway hear events, and return the id of the last."""
    with following(url) as reader:
        source.publish(events)
        while not reader.last_id.endswith(f":{len(events)}"):
            reader.read()
        return reader.last_id


def test_a_reader_that_is_ahead_of_a_worker_is_told_what_follows_its_place_and_nothing_twice(two):
    (here, url), (there, other_url) = two
    last_id = follow(here, url, EARLY + LATE)
    follow(there, other_url, EARLY)
    with RawClient(other_url) as client:
        client.get("/global/event", f"Last-Event-ID: {last_id}")
        for _ in range(LONGER_THAN_COMMENTS):
            assert b": this worker has not received" in client.until(b"\n\n")
        there.publish([*LATE, MARKER])
        told = client.until(b"test.done")
    assert b'"resumed":true' in told
    assert b"delta" not in told
