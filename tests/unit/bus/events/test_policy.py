"""Every type has one declared policy; a type that is not declared is a barrier."""

from pathlib import Path

import pytest

from bus.events import TYPES, Entity, EventType, Policy, declare, type_of
from bus.events.catalogue import PART
from tests import recorded

ROOT = Path(__file__).parents[4]
PRODUCT = ("bus", "processor", "gateway", "acp_client", "deploy")


def test_only_deltas_append_and_only_snapshots_of_parts_supersede():
    appended = {name for name, kind in TYPES.items() if kind.policy is Policy.APPEND}
    latest = {name for name, kind in TYPES.items() if kind.policy is Policy.LATEST}
    assert appended == {"message.part.delta"}
    assert latest == {"message.part.updated"}


def test_every_recorded_type_is_declared():
    seen = {event["type"] for name in recorded.scenarios() for event in recorded.events(name)}
    assert seen <= set(TYPES)


def test_an_unknown_type_is_a_barrier():
    assert type_of("tomorrow.came").policy is Policy.BARRIER


def test_no_file_but_the_catalogue_names_an_event_type():
    named = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "catalogue.py"
        for text in [path.read_text()]
        for name in TYPES
        if f'"{name}"' in text
    ]
    assert named == []


GAUGE = Entity("gauge")
LINE = Entity("line", grows=True)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"policy": Policy.LATEST}, "needs snapshot_of="),
        ({"policy": Policy.LATEST, "removal_of": GAUGE}, "needs snapshot_of="),
        ({"policy": Policy.APPEND}, "APPEND and text_for="),
        ({"text_for": LINE, "id": "lineID"}, "APPEND and text_for="),
        ({"policy": Policy.APPEND, "text_for": GAUGE, "id": "gaugeID"}, "gauge is not declared"),
        ({"policy": Policy.APPEND, "text_for": LINE}, "needs id="),
        ({"policy": Policy.APPEND, "text_for": LINE, "id": "line.id"}, "needs id="),
        (
            {"snapshot_of": GAUGE, "removal_of": GAUGE},
            "one of snapshot_of, removal_of and text_for",
        ),
        ({"snapshot_of": GAUGE, "owner": "ownerID"}, "needs owner="),
        ({"snapshot_of": PART, "id": "id"}, "needs owner="),
        (
            {"snapshot_of": Entity("mark", owner=PART), "id": "id", "owner": "partID"},
            "part, which",
        ),
    ],
    ids=str,
)
def test_facts_that_do_not_fit_together_are_refused(facts, words):
    with pytest.raises(ValueError, match=f"gauge.moved: .*{words}"):
        EventType("gauge.moved", **facts)


def test_a_name_is_declared_once():
    with pytest.raises(ValueError, match=r"session\.idle is declared twice"):
        declare(EventType("session.idle"))
    with pytest.raises(ValueError, match="another kind of entity named part"):
        declare(EventType("gauge.moved", snapshot_of=Entity("part")))
    assert "gauge.moved" not in TYPES
