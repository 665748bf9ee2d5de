import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.answers import CommandFailed
from bus.bodies import CreateBody, PromptBody, TextInput
from bus.events.part import TokenCounts
from processor.commands import cursor
from processor.native.conversation import chat
from processor.store import history, pieces
from processor.store.messages import DuplicateId
from processor.store.sessions import UnknownSession
from tests.unit.processor.rig import DIRECTORY, Rig


def test_pages_of_any_size_join_to_the_whole_list(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    for number in range(7):
        rig.prompt(session, str(number))
    whole, older = listed(rig, session, None, None)
    assert older is None
    for size in range(1, 9):
        joined: list[Any] = []
        before = None
        while True:
            page, before = listed(rig, session, size, before)
            joined = page + joined
            if before is None:
                break
        assert joined == whole


def listed(rig: Rig, session: str, limit: int | None, before: Any) -> tuple[list[Any], Any]:
    job = pieces.of_session, session, limit, before, 1 << 20
    json, after, older = rig.database.call(*job)
    assert after is None
    return msgspec.json.decode(json), older


@given(st.integers(0, 1 << 62), st.text(max_size=40))
def test_a_cursor_leads_back_to_what_it_was_made_of(time: int, message: str) -> None:
    text = cursor.encode(time, message)
    assert "=" not in text
    assert cursor.decode(text) == (time, message)


@given(st.text(max_size=60))
def test_no_cursor_is_worse_than_refused(text: str) -> None:
    with contextlib.suppress(cursor.BadCursor):
        cursor.decode(text)


@pytest.mark.parametrize("text", ["", "%%%", "e30", "eyJpZCI6Im0ifQ", "äöü", "W10"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(cursor.BadCursor, match="before:"):
        cursor.decode(text)


def test_text_in_flight_is_read_as_far_as_it_is_saved(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("so ", "far ")
    rig.drafts.flush()
    turn.text("and on")
    answer = rig.messages(_session(rig))[-1]
    assert msgspec.json.decode(answer.parts[-1])["text"] == "so far "


def test_the_history_has_each_answer_behind_its_prompt(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody())
    prompts = [rig.prompt(session.id, text) for text in ("one", "two", "three")]
    for prompt in prompts[:2]:
        turn = rig.turn_for(session, prompt)
        turn.begin()
        turn.reasoning("never told")
        turn.text("re: ", prompt.id)
        turn.finish("stop", TokenCounts.none())
    window = rig.database.call(history.window, session.id, prompts[1].id, 10_000)
    said = chat(rig.database.call(history.load, window))
    assert [(m.role, m.content) for m in said][:3] == [
        ("user", "one"),
        ("assistant", f"re: {prompts[0].id}"),
        ("user", "two"),
    ]
    assert "three" not in [m.content for m in said]


def test_a_message_id_that_is_taken_is_refused_and_nothing_is_kept(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    body = PromptBody(parts=[TextInput(text="a")], messageID="msg_mine", noReply=True)
    assert rig.prompts.accept(session, body) == "msg_mine"
    with pytest.raises(DuplicateId):
        rig.prompts.accept(session, body)
    parts = [TextInput(text="a", id="prt_x"), TextInput(text="b", id="prt_x")]
    with pytest.raises(DuplicateId):
        rig.prompts.accept(session, PromptBody(parts=parts, noReply=True))
    assert len(rig.messages(session)) == 1


def test_ids_must_have_their_prefix(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    with pytest.raises(CommandFailed, match="messageID"):
        rig.prompts.accept(session, PromptBody(parts=[TextInput(text="a")], messageID="x"))
    with pytest.raises(CommandFailed, match=r"parts\.id"):
        rig.prompts.accept(session, PromptBody(parts=[TextInput(text="a", id="x")]))


def test_a_prompt_to_a_session_that_is_not_there_is_refused(rig: Rig) -> None:
    with pytest.raises(UnknownSession, match="Session not found: ses_x"):
        rig.prompts.accept("ses_x", PromptBody(parts=[TextInput(text="a")]))


def test_deleting_a_session_takes_children_and_messages_along(rig: Rig) -> None:
    parent = rig.sessions.create(DIRECTORY, CreateBody()).id
    child = rig.sessions.create(DIRECTORY, CreateBody(parentID=parent)).id
    rig.prompt(child, "text")
    rig.sessions.delete(parent)
    deleted = [e["properties"]["sessionID"] for e in rig.events if e["type"] == "session.deleted"]
    assert deleted == [child, parent]
    for table in ("session", "message", "part", "chunk"):
        count = rig.database.call(
            lambda db, t: db.execute(f"SELECT count(*) FROM {t}").fetchone(), table
        )
        assert count == (0,), table


def test_a_child_made_while_its_parent_is_removed_goes_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = rig.sessions.create(DIRECTORY, CreateBody()).id
    abort, born = rig.turns.abort, {}

    def meanwhile(sessions: Iterable[str], timeout_s: float) -> None:
        if not born:
            child = rig.sessions.create(DIRECTORY, CreateBody(parentID=parent)).id
            body = PromptBody(parts=[TextInput(text="rate 100 10000")])
            born[child] = rig.prompts.accept(child, body)
        abort(sessions, timeout_s)

    monkeypatch.setattr(rig.turns, "abort", meanwhile)
    rig.sessions.delete(parent)
    [(child, prompt)] = born.items()
    last = [(e["type"], e["properties"]["sessionID"]) for e in rig.events[-2:]]
    assert last == [("session.deleted", child), ("session.deleted", parent)]
    assert rig.turns.wait(child, prompt, 0)


def _session(rig: Rig) -> str:
    return rig.events[0]["properties"]["sessionID"]
