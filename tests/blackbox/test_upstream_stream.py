"""A stream that is never cut: all of it passes, as it came."""

import math
from itertools import accumulate
from pathlib import Path

import pytest

from tests import recorded
from tests.blackbox.relay import Relay, held, relay
from tests.fakes.upstream import Upstream, frames_of, sse, upstream

BYTEWISE_BYTES = 130_000
"""More than all recordings have but the storm, of which a first part is read byte by byte."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    with upstream() as fake, relay(tmp_path_factory.mktemp("relay"), fake.url) as running:
        running.until_healed()
        yield fake, running


def passed_on(shared: tuple[Upstream, Relay], name: str, how: str, most_bytes: float) -> None:
    fake, running = shared
    sizes = accumulate(len(sse(frame)) for frame in frames_of(name))
    frames = [f for f, end in zip(frames_of(name), sizes, strict=True) if end <= most_bytes]
    before = len(running.heard())
    getattr(fake, how)(*frames)
    got = running.until_count(before + len(frames))[before:]
    assert got == frames
    assert held(got).view() == held(frames).view()


@pytest.mark.parametrize("name", recorded.scenarios())
def test_a_recording_in_one_burst_passes_as_it_came(shared, name):
    passed_on(shared, name, "say", math.inf)


@pytest.mark.parametrize("name", recorded.scenarios())
def test_a_recording_byte_by_byte_passes_as_it_came(shared, name):
    passed_on(shared, name, "say_bytewise", BYTEWISE_BYTES)


def test_bytes_that_cannot_be_read_twice_pass_as_they_came(shared):
    fake, running = shared
    before = len(running.heard())
    odd = [
        b'{"directory":"/d","payload":{"type":"t.o","properties":{"half":"\\ud800","n":1e2}}}',
        b'{"directory":"/d","payload":{"type":"t.p","properties":{"n":12345678901234567890}}}',
        b'{"directory":"/d","new":1,"payload":{"type":"t.q","more":[],"properties":{"a":"\xe2\x80\xa8"}}}',
    ]
    fake.send(b"".join(sse(frame) for frame in odd))
    got = running.until_count(before + 3)[before:]
    assert [frame["payload"]["properties"] for frame in got] == [
        {"half": "\ud800", "n": 100.0},
        {"n": 12345678901234567890},
        {"a": "\u2028"},
    ]
    assert got[2]["payload"]["more"] == []


def test_what_is_no_frame_is_skipped_and_told_once(shared):
    fake, running = shared
    before = len(running.heard())
    for _ in range(3):
        fake.send(sse(b"{") + sse(b'{"payload":7}') + sse(b'{"directory":"/d"}') + sse(b"\xff"))
    fake.send(sse({"directory": "/d", "payload": {"type": "t.done", "properties": {}}}))
    got = running.until_count(before + 1)[before:]
    assert [frame["payload"]["type"] for frame in got] == ["t.done"]
    assert running.processor.log.count("is skipped") == 4


def test_one_connection_is_enough(shared):
    fake, running = shared
    assert fake.server.connections == 1
    body = running.readiness()
    assert body["ready"] is True
    assert body["reasons"] == []
    assert body["upstream"]["url"] == fake.url
    assert body["upstream"]["version"] == "1.18.33"
    assert body["upstream"]["attempts"] == 0


def test_no_sessions_are_stored_but_notes(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url) as running:
        running.until_healed()
        assert {file.suffix for file in running.processor.state.glob("*")} <= {".json"}
