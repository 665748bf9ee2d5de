"""What the next processor finds in the store of one that was killed, and tells of it."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from bus.bodies import CreateBody, PatchBody
from bus.events.catalogue import PermissionAsked
from bus.events.message import AssistantMessage
from bus.events.part import TokenCounts
from bus.events.session import Session
from processor.native.retelling import retell
from processor.native.turn import aborted
from processor.store import messages, model_asks, recovery, removals, sessions
from processor.store.recovery import Changed, RecoveredChanges
from processor.store.sessions import UnknownSession
from tests.unit.processor.rig import DIRECTORY, Rig

THEN_MS, LATER_MS = 1 << 49, 1 << 50


def test_a_turn_left_open_is_closed_with_the_text_that_was_saved(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.reasoning("hm ")
    turn.text("so ", "far ")
    rig.drafts.flush()
    turn.text("and on")
    [changed] = recovered(rig, LATER_MS).changed
    (prompt, _), (answer, parts) = stored(rig, changed)
    assert prompt.id == answer.parentID
    assert answer.error == aborted()
    assert answer.time.completed == LATER_MS
    assert (parts[-1].text, parts[-1].time.end) == ("so far ", LATER_MS)
    assert recovered(rig, LATER_MS + 1).changed == [changed]
    last = rig.messages(changed.session.id)[-1]
    assert [msgspec.json.decode(p).get("text") for p in last.parts] == [None, "hm ", "so far "]


def test_what_was_removed_lately_is_told_before_all_else(rig: Rig) -> None:
    kept = made(rig)
    parent = made(rig)
    child = made(rig, parent)
    rig.prompt(kept, "stays")
    rig.sessions.delete(parent)
    rig.sessions.patch(kept, PatchBody(title="changed later"))
    told = heard(rig, recovered(rig))
    assert told[:2] == [("session.deleted", child), ("session.deleted", parent)]
    assert {session for _, session in told[2:]} == {kept}
    assert "message.updated" in [event_type for event_type, _ in told]


def test_a_removal_is_told_as_it_was_told_first(rig: Rig) -> None:
    session = made(rig)
    rig.sessions.delete(session)
    first = rig.events[-1]
    retell(recovered(rig), rig.services)
    assert rig.events[-1] == {**first, "id": rig.events[-1]["id"]}


def test_a_removal_counts_as_the_last_that_happened(rig: Rig) -> None:
    old, gone = made(rig), made(rig)
    rig.database.call(sessions.update, old, at(THEN_MS))
    rig.database.call(sessions.update, gone, at(THEN_MS))
    rig.database.call(sessions.delete, gone, THEN_MS + 1 + recovery.LATELY_MS)
    news = recovered(rig)
    assert ([one.id for one in news.removed], news.changed) == ([gone], [])


def test_what_was_removed_long_before_the_end_is_not_told(rig: Rig) -> None:
    later, gone = made(rig), made(rig)
    rig.database.call(sessions.delete, gone, THEN_MS)
    rig.database.call(sessions.update, later, at(THEN_MS + recovery.LATELY_MS))
    assert [one.id for one in recovered(rig).removed] == [gone]
    rig.database.call(sessions.update, later, at(THEN_MS + 1 + recovery.LATELY_MS))
    assert recovered(rig).removed == []


def test_a_removal_is_told_again_by_the_processor_after_the_next(rig: Rig) -> None:
    """The next one may be killed before what it told has left its sockets."""
    rig.turn("left open").begin()
    rig.sessions.delete(made(rig))
    told = recovered(rig, LATER_MS)
    assert told.removed
    assert recovered(rig) == told


def test_a_removal_that_is_no_news_any_more_is_told_to_nobody_but_who_comes_from_earlier(
    rig: Rig,
) -> None:
    old, new = made(rig), made(rig)
    rig.database.call(sessions.delete, old, THEN_MS)
    rig.database.call(sessions.delete, new, THEN_MS + 1 + recovery.LATELY_MS)
    found = recovered(rig)
    assert [[one.id for one in found.gone], [one.id for one in found.removed]] == [[old], [new]]


def test_no_more_removals_are_kept_than_the_bound(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "MOST", 4)
    parent = made(rig)
    for _ in range(6):
        made(rig, parent)
    rig.database.call(sessions.delete, parent, 5)
    kept = rig.database.call(removals.since, 0)
    assert len(kept) == 4
    assert kept[-1].id == parent


def test_a_removal_that_fails_leaves_no_note(rig: Rig) -> None:
    with pytest.raises(UnknownSession):
        rig.database.call(sessions.delete, "ses_x", 5)
    assert rig.database.call(removals.since, 0) == []


def test_a_turn_that_ended_badly_is_told_however_long_ago_its_session_changed(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("so far")
    turn.abort()
    session = rig.events[-1]["properties"]["sessionID"]
    rig.database.call(sessions.update, session, at(5))
    told = [one for one in recovered(rig).changed if one.session.id == session]
    assert [message.error for message, _ in stored(rig, told[0])[1:]] == [aborted()]


def test_an_answer_is_told_however_many_prompts_wait_behind_it(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody())
    first, *_ = [rig.prompt(session.id, str(number)) for number in range(20)]
    over, cut = rig.turn_for(session, first), rig.turn_for(session, first)
    over.begin()
    cut.begin()
    for number in range(20):
        rig.prompt(session.id, str(number))
    over.finish("stop", TokenCounts.none())
    [changed] = recovered(rig, first.time.created + 1_000_000).changed
    answers = [one for one, _ in stored(rig, changed) if isinstance(one, AssistantMessage)]
    assert [answer.error for answer in answers] == [UNSET, aborted()]
    order = [(one.time.created, one.id) for one, _ in stored(rig, changed)]
    assert order == sorted(order)


def test_a_closed_turn_is_told_again_by_the_processor_after_the_next(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    before = recovered(rig, LATER_MS).changed
    other = made(rig)
    rig.database.call(sessions.update, other, at(LATER_MS))
    assert [one for one in recovered(rig).changed if one.session.id != other] == before


def test_an_ask_of_a_session_that_is_being_removed_is_dropped(rig: Rig) -> None:
    session = rig.turn("x").record.session.id
    asked = PermissionAsked(
        id="per_1", sessionID=session, permission="bash", patterns=[], metadata={}, always=[]
    )
    rig.database.call(model_asks.put, asked)
    rig.database.call(sessions.discard, session)
    assert recovered(rig).asks == []


def recovered(rig: Rig, now_ms: int = 0) -> RecoveredChanges:
    return rig.database.call(recovery.recover, aborted(), now_ms)


def heard(rig: Rig, news: RecoveredChanges) -> list[tuple[str, str]]:
    """Return type and session of what is told."""
    before = len(rig.events)
    retell(news, rig.services)
    return [(e["type"], e["properties"]["sessionID"]) for e in rig.events[before:]]


def stored(rig: Rig, changed: Changed) -> list[Any]:
    found = rig.stored(changed.session.id, changed.messages)
    return [messages.decoded(one) for one in found]


def made(rig: Rig, parent: str | None = None) -> str:
    return rig.sessions.create(DIRECTORY, CreateBody(title="fixed", parentID=parent)).id


def at(time_ms: int) -> Any:
    """Return a change that happens at a time."""

    def change(session: Session) -> None:
        session.time.updated = time_ms

    return change
