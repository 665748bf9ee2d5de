"""Events and answers of an upstream that are nested too deep, or are too large to be read."""

import io
import json

import pytest
import urllib3
from msgspec.structs import replace

from bus.depth import EVENT_LEVELS, is_folded
from bus.ledger import Ledger
from bus.origin import Origin
from processor.upstream import frames
from processor.upstream.api import NotThere, UpstreamApi
from processor.upstream.frames import MalformedUpstreamFrame
from processor.upstream.settings import UpstreamSettings
from processor.upstream.subject import subject_of
from tests.envelopes import enveloped
from tests.unit.processor.upstream.bench import (
    BUSY,
    CUT_MS,
    SESSION,
    Bench,
    delta,
    frame,
    message,
    part,
)

DEPTHS = [EVENT_LEVELS, 970, 1500, 100_000]
DEEP = "the deep value"
OF_A_SESSION = {
    "session.updated": {"info": {"id": "ses_1", "metadata": DEEP}},
    "session.status": {"sessionID": "ses_1", "status": {"type": "busy", "x": DEEP}},
    "message.updated": {"info": {"id": "msg_1", "sessionID": "ses_1", "structured": DEEP}},
    "permission.asked": {"id": "per_1", "sessionID": "ses_1", "metadata": DEEP},
    "question.asked": {"id": "que_1", "sessionID": "ses_1", "questions": [DEEP]},
    "todo.updated": {"sessionID": "ses_1", "todos": [DEEP]},
    "session.diff": {"sessionID": "ses_1", "diff": DEEP},
    "message.part.updated": {
        "part": {"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "metadata": DEEP}
    },
}


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def data_of(kind, properties, depth, value=None):
    wire = json.dumps({"directory": "/d", "payload": {"type": kind, "properties": properties}})
    return wire.encode().replace(json.dumps(DEEP).encode(), value or nested(depth))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", OF_A_SESSION)
def test_an_event_that_is_too_deep_keeps_its_bytes_and_its_subject(kind, depth):
    data = data_of(kind, OF_A_SESSION[kind], depth)
    got = frames.decode(data)
    assert got.event.json() == data.partition(b'"payload": ')[2][:-1]
    assert (got.event.type, got.event.sessionID, got.place.directory) == (kind, "ses_1", "/d")
    deep, plain = subject_of(got.event), frames.decode(data_of(kind, OF_A_SESSION[kind], 1))
    expected = subject_of(plain.event)
    assert (deep.key, deep.session, deep.message) == (
        expected.key,
        expected.session,
        expected.message,
    )


@pytest.mark.parametrize("kind", OF_A_SESSION)
def test_an_event_that_is_too_large_has_the_same_subject_and_is_not_read(kind):
    large = frames.decode(data_of(kind, OF_A_SESSION[kind], 0, b"[%b0]" % (b"[]," * 2_000_000)))
    small = frames.decode(data_of(kind, OF_A_SESSION[kind], 1))
    assert subject_of(large.event).key == subject_of(small.event).key
    assert len(str(subject_of(large.event))) < 1000


def test_half_a_surrogate_pair_beside_what_is_too_deep_passes():
    data = data_of("session.updated", {"info": {"id": "ses_1", "t": "\ud83c", "m": DEEP}}, 1500)
    assert frames.decode(data).event.sessionID == "ses_1"
    assert b"\\ud83c" in frames.decode(data).event.json()


def test_brackets_without_number_are_refused_by_name():
    with pytest.raises(MalformedUpstreamFrame, match="too deep, and too large"):
        frames.decode(data_of("session.updated", OF_A_SESSION["session.updated"], 1_000_000))


def live(bench, kind, properties, depth=1500):
    bench.intake.take(data_of(kind, properties, depth))


def test_deltas_of_a_part_that_is_too_deep_pass():
    bench = Bench()
    bench.live(SESSION, BUSY, message("msg_1", 900))
    bench.heal()
    deep = part("prt_1", "msg_1", "")["payload"]["properties"]
    live(bench, "message.part.updated", {**deep, "part": deep["part"] | {"metadata": DEEP}})
    bench.live(delta("prt_1", "msg_1", "a"))
    assert bench.published[-1].event.type == "message.part.delta"


def answered(body):
    """`UpstreamApi` in front of a server that always answers the same."""

    class Pool:
        def request(self, *_, **__):
            headers = {"Content-Type": "application/json"}
            raw = io.BytesIO(body)
            return urllib3.HTTPResponse(raw, headers, 200, preload_content=False)

    return UpstreamApi(UpstreamSettings(Origin.parse("http://127.0.0.1:1")), Pool())


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_list_is_read_though_one_of_it_is_too_deep(depth):
    listed = b'[{"id":"ses_1","metadata":%b},{"id":"ses_2"}]' % nested(depth)
    one, two = answered(listed).changed_sessions(frames.InstanceLocation(), 0)
    assert one["id"] == "ses_1"
    assert is_folded(json.dumps(one).encode())
    assert two == {"id": "ses_2"}


@pytest.mark.parametrize(
    "body",
    [b'[{"id":"ses_1","x":%b}]' % nested(1_000_000), b" " * 2**26 + b"[]"],
    ids=["brackets", "bytes"],
)
def test_an_answer_that_is_too_large_is_done_without(body):
    with pytest.raises(NotThere):
        answered(body).changed_sessions(frames.InstanceLocation(), 0)


def folded(depth=1500):
    """A value as `UpstreamApi` leaves it where it is too deep."""
    [one] = answered(b'[{"id":"x","m":%b}]' % nested(depth)).changed_sessions(
        frames.InstanceLocation(), 0
    )
    return one["m"]


def test_healing_leaves_out_what_is_too_deep_and_tells_the_rest():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.stored.apply(message("msg_1", CUT_MS))
    deep = part("prt_1", "msg_1", "deep", end=2)
    deep["payload"]["properties"]["part"]["metadata"] = folded()
    bench.stored.apply(deep)
    bench.stored.apply(part("prt_2", "msg_1", "plain", end=2))
    info = {"id": "ses_1", "time": {"created": 1}, "metadata": folded()}
    bench.stored.apply(frame("session.updated", info=info))
    told = bench.heal()
    assert [e["properties"]["part"]["id"] for e in told if "part" in e["properties"]] == ["prt_2"]
    assert not [e for e in told if e["type"] == "session.updated"]
    assert not [e for e in told if "removed" in e["type"]]


def test_parts_of_a_message_that_healing_leaves_out_are_left_out_with_it():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    missed = message("msg_1", CUT_MS)
    missed["payload"]["properties"]["info"]["structured"] = folded()
    bench.stored.apply(missed)
    bench.stored.apply(part("prt_1", "msg_1", "a", end=2))
    assert not [e for e in bench.heal() if e["type"].startswith("message.")]


def test_a_reader_that_fell_behind_is_told_of_all_but_the_text_of_a_part_too_deep():
    ids = {"messageID": "msg_1", "sessionID": "ses_1"}
    events = [
        frames.decode(data_of("session.created", {"info": {"id": "ses_1", "m": DEEP}}, 1500)),
        frames.decode(
            data_of(
                "message.part.updated",
                {"part": ids | {"id": "prt_1", "type": "text", "text": "", "m": DEEP}},
                1500,
            )
        ),
    ]
    ledger = Ledger()
    made = enveloped([{"type": "x"}, {"type": "x"}])
    ledger.note(replace(one, event=event.event) for one, event in zip(made, events, strict=True))
    assert [upsert.envelope().event for upsert in ledger.changed(-1)] == [e.event for e in events]
    [grown] = enveloped([delta("prt_1", "msg_1", "a")["payload"]])
    ledger.note([replace(grown, seq=3)])
    assert [upsert.envelope().event for upsert in ledger.changed(-1)] == [events[0].event]
    assert ledger.floor == 3
