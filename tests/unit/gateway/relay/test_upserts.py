"""A text that has grown long is told piece by piece, and is the same text."""

import itertools
import json
import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as st

from bus.ledger import Ledger, entry
from gateway.relay import Endpoint, ResumeVerdict
from gateway.relay.entrance import Entrance
from gateway.relay.frames import PIECE_BYTES
from gateway.relay.relay import Cursor
from tests.envelopes import enveloped

IDS = {"sessionID": "ses_1", "messageID": "msg_1"}
PART = {**IDS, "id": "prt_1", "type": "text", "metadata": {"text": "elsewhere"}}


def grown(begin, deltas):
    """Return the upsert of a part that began with a text and grew."""
    part = {**PART, "text": begin, "time": {"start": 1}}
    told = {"id": "evt_0", "type": "message.part.updated", "properties": {**IDS, "part": part}}
    rest = [
        {
            "id": f"evt_{number}",
            "type": "message.part.delta",
            "properties": {**IDS, "partID": "prt_1", "field": "text", "delta": delta},
        }
        for number, delta in enumerate(deltas, start=1)
    ]
    ledger = Ledger(max_bytes=1 << 30)
    for envelope in enveloped([told, *rest]):
        ledger.note([envelope])
    [upsert] = ledger.changed(-1)
    return ledger, upsert


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=20))
@example("", ["\U0001f600" * 40_000, '"\\\u0000' * 30_000])
def test_pieces_join_to_the_event(begin, deltas):
    _, upsert = grown(begin, deltas)
    pieces = list(upsert.json_pieces())
    assert json.loads(b"".join(pieces)) == json.loads(upsert.envelope().event.json())


def test_a_long_text_is_never_encoded_whole():
    _, upsert = grown("", ["x" * 1000] * 5000)
    entrance = Entrance(ResumeVerdict.FRESH, Cursor(0, {}), upserts=(upsert,))
    for endpoint in Endpoint:
        pieces = list(entrance.pieces(endpoint))
        assert max(map(len, pieces)) <= PIECE_BYTES + entry._LONG
        data = b"".join(pieces).partition(b"data: ")[2]
        told = json.loads(data)
        told = told.get("payload", told)
        assert len(told["properties"]["part"]["text"]) == 5_000_000


def test_what_readers_hold_of_a_text_that_grows_is_shared():
    ledger, _ = grown("", ["begin"])
    deltas = [
        {
            "id": f"evt_{number}",
            "type": "message.part.delta",
            "properties": {**IDS, "partID": "prt_1", "field": "text", "delta": "x" * 40},
        }
        for number in range(1, 60_000)
    ]
    envelopes = enveloped(deltas)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = []
    for start in range(0, len(envelopes), 1000):
        ledger.note(envelopes[start : start + 1000])
        held += ledger.changed(-1)
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert size < 4 * 60_000 * 40, "each of 60 readers would hold a text of its own"
    texts = [upsert.texts()["text"] for upsert in held]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
