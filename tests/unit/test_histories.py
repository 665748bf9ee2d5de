"""The generated histories are legal, and rich enough to be worth testing against."""

import json
from collections import Counter
from itertools import groupby

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tests import traces
from tests.histories import flush_points, global_histories, histories, runs
from tests.reference import fold

REMOVALS = {"message.removed": "messageID", "message.part.removed": "partID"}


def types(history):
    return [event["type"] for event in history]


def of_type(history, kind):
    return [event["properties"] for event in history if event["type"] == kind]


@pytest.fixture(scope="module")
def sample():
    drawn = []

    @settings(max_examples=300, phases=[Phase.generate], derandomize=True, database=None)
    @given(histories())
    def draw(history):
        drawn.append(history)

    draw()
    return drawn


def session_of(event):
    properties = event["properties"]
    info = properties.get("info", properties.get("part"))
    if isinstance(info, dict):
        return info.get("sessionID", info["id"])
    return properties.get("sessionID")


def test_folding_never_raises_and_ids_are_unique(sample):
    for history in sample:
        fold(history)
        ids = [event["id"] for event in history if "id" in event]
        assert ids in ([], sorted(set(ids)))
        assert len(ids) in (0, len(history))


def test_a_history_is_json(sample):
    for history in sample:
        assert json.loads(json.dumps(history)) == history


def test_closed_parts_equal_their_final_snapshot(sample):
    for history in sample:
        snapshots = {p["part"]["id"]: p["part"] for p in of_type(history, "message.part.updated")}
        for parts in fold(history).parts.values():
            for part in parts.values():
                if "end" in part.get("time", {}):
                    assert part == snapshots[part["id"]]


def test_messages_come_before_their_parts(sample):
    for history in sample:
        known = set()
        for event in history:
            if event["type"] == "message.updated":
                known.add(event["properties"]["info"]["id"])
            if event["type"] == "message.part.updated":
                assert event["properties"]["part"]["messageID"] in known


def test_nothing_about_an_entity_follows_its_removal(sample):
    for history in sample:
        removed, deleted = set(), set()
        for event in history:
            text = json.dumps(event["properties"])
            assert not [entity for entity in removed if f'"{entity}"' in text]
            assert session_of(event) not in deleted
            if event["type"] in REMOVALS:
                removed.add(event["properties"][REMOVALS[event["type"]]])
            if event["type"] == "session.deleted":
                deleted.add(session_of(event))


@given(global_histories())
def test_a_session_stays_in_its_directory(envelopes):
    homes = {}
    for envelope in envelopes:
        session_id = session_of(envelope["payload"])
        if session_id is not None:
            assert homes.setdefault(session_id, envelope["directory"]) == envelope["directory"]


def late_snapshot(history):
    """A part closed after idle, as opencode does on abort."""
    kinds = types(history)
    return "session.idle" in kinds and any(
        "end" in event["properties"]["part"].get("time", {})
        for event in history[kinds.index("session.idle") :]
        if event["type"] == "message.part.updated"
    )


def interleaved_deltas(history):
    parts = [delta["partID"] for delta in of_type(history, "message.part.delta")]
    return len(list(groupby(parts))) > len(set(parts))


def snapshot_between_deltas(history):
    """The shape behind OpenChamber #889, #916 and #1647, all within one part."""
    seen = Counter()
    for event in history:
        if event["type"] == "message.part.delta":
            part_id = event["properties"]["partID"]
            if seen[part_id] == 2:
                return True
            seen[part_id] = max(seen[part_id], 1)
        if event["type"] == "message.part.updated":
            part_id = event["properties"]["part"]["id"]
            seen[part_id] *= 2
    return False


def early_delta(history):
    known = set()
    for event in history:
        if event["type"] == "message.part.updated":
            known.add(event["properties"]["part"]["id"])
        if event["type"] == "message.part.delta" and event["properties"]["partID"] not in known:
            return True
    return False


FEATURES = {
    "three sessions": lambda h: len(of_type(h, "session.created")) == 3,
    "interleaved deltas": interleaved_deltas,
    "snapshot between deltas": snapshot_between_deltas,
    "early delta": early_delta,
    "snapshot after idle": late_snapshot,
    "old format": lambda h: "id" not in h[0],
    "session deleted": lambda h: "session.deleted" in types(h),
    "message removed": lambda h: "message.removed" in types(h),
    "part removed": lambda h: "message.part.removed" in types(h),
    "unknown delta property": lambda h: any(
        "shade" in delta for delta in of_type(h, "message.part.delta")
    ),
    "other delta field": lambda h: any(
        delta["field"] != "text" for delta in of_type(h, "message.part.delta")
    ),
    "error of no session": lambda h: any(
        "sessionID" not in error for error in of_type(h, "session.error")
    ),
    "six running snapshots": lambda h: any(
        "line 🌊\n" * 5 in json.dumps(part, ensure_ascii=False).replace("\\n", "\n")
        for part in of_type(h, "message.part.updated")
    ),
    "permission pending at the end": lambda h: fold(h).permissions,
    "question answered": lambda h: "question.replied" in types(h),
}


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_is_generated(sample, name):
    assert any(FEATURES[name](history) for history in sample)


@given(st.data(), st.integers(0, 60))
def test_flush_points_partition(data, n):
    ends = data.draw(flush_points(n))
    assert ends == sorted(set(ends))
    cut = runs(range(n), ends)
    assert all(cut)
    assert [item for run in cut for item in run] == list(range(n))


@pytest.mark.parametrize("ends", [[5], [1, 2, 3, 4, 5]], ids=["all at once", "each alone"])
def test_flush_points_include(ends):
    quick = settings(max_examples=200, derandomize=True, database=None)
    assert find(flush_points(5), lambda drawn: drawn == ends, settings=quick) == ends


@pytest.mark.parametrize("name", traces.ALL)
def test_ideal_client_shows_the_text_of_a_trace(name):
    trace = traces.ALL[name]()
    [answer] = fold(trace.events).messages_of(traces.SESSION_ID)
    assert [part["text"] for part in answer["parts"]] == [trace.text]
