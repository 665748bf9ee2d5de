"""Undo, redo, removals, changed parts and copies: what is stored, and what readers are sent."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from bus.answers import CommandFailed
from bus.bodies import CreateBody, ForkBody, RevertBody
from bus.commands import MessageDelete, PartPatch
from bus.events.part import AgentPart, Span, TextPart, ToolCompleted, ToolPart
from processor.commands.edits import EditCommands
from processor.store import messages as stored
from processor.store import sessions, upkeep
from processor.store.messages import UnknownMessage
from processor.store.sessions import UnknownSession
from processor.tools.spool import cut
from tests.unit.processor.rig import DIRECTORY, Rig


@pytest.fixture
def commands(rig: Rig) -> EditCommands:
    return EditCommands(rig.services, rig.turns)


def talked(rig: Rig, *texts: str) -> tuple[str, list[str]]:
    """Make a session with an answer to each text; return its id and those of its messages."""
    session = rig.sessions.create(DIRECTORY, CreateBody(title="fixed title"))
    for text in texts:
        turn = rig.turn_for(session, rig.prompt(session.id, text))
        turn.begin()
        turn.text(f"answer to {text}")
        turn.finish("stop", turn._answer.tokens)
    return session.id, [decoded(one)["id"] for one in rig.messages(session.id)]


def decoded(one: Any) -> Any:
    return msgspec.json.decode(one.info)


def parts(rig: Rig, session: str) -> list[list[str]]:
    return [
        [
            msgspec.json.decode(part).get("text", "")
            for part in one.parts
            if b'"type":"text"' in bytes(part)
        ]
        for one in rig.messages(session)
    ]


def names(rig: Rig, since: int) -> list[str]:
    return [event["type"] for event in rig.events[since:]]


def test_a_revert_hides_the_prompt_of_what_it_names_and_a_redo_shows_it(rig, commands):
    session, (_, _, prompt, answer) = talked(rig, "one", "two")
    reverted = commands.revert(session, RevertBody(messageID=answer))
    assert reverted.revert == {"messageID": prompt}
    assert rig.events[-1]["type"] == "session.updated"
    assert rig.events[-1]["properties"]["info"]["revert"] == {"messageID": prompt}
    assert len(rig.messages(session)) == 4
    assert commands.revert(session, None).revert is UNSET
    assert "revert" not in rig.events[-1]["properties"]["info"]


def test_a_revert_to_a_part_keeps_what_stands_before_it(rig, commands):
    session, (prompt, answer) = talked(rig, "one")
    body = rig.messages(session)[1]
    ids = [msgspec.json.decode(part)["id"] for part in body.parts]
    text, finish = ids[1], ids[2]
    assert commands.revert(session, RevertBody(messageID=answer, partID=finish)).revert == {
        "messageID": answer,
        "partID": finish,
    }
    # Nothing that is of use stands before the text, so the prompt is hidden too.
    assert commands.revert(session, RevertBody(messageID=answer, partID=text)).revert == {
        "messageID": prompt
    }


def test_the_next_prompt_removes_what_is_hidden(rig, commands):
    session, ids = talked(rig, "one", "two", "three")
    commands.revert(session, RevertBody(messageID=ids[2]))
    begin = len(rig.events)
    rig.prompt(session, "instead")
    assert [one[0] for one in parts(rig, session)] == ["one", "answer to one", "instead"]
    gone = [e["properties"]["messageID"] for e in rig.events if e["type"] == "message.removed"]
    assert gone == ids[2:]
    said = names(rig, begin)
    assert said.index("message.removed") < said.index("message.updated")
    assert rig.database.call(sessions.get, session).revert is UNSET


def test_the_next_prompt_removes_the_hidden_parts_of_a_message(rig, commands):
    session, (_, answer, *later) = talked(rig, "one", "two")
    finish = msgspec.json.decode(rig.messages(session)[1].parts[2])["id"]
    commands.revert(session, RevertBody(messageID=answer, partID=finish))
    begin = len(rig.events)
    rig.prompt(session, "instead")
    removed = [e["properties"] for e in rig.events[begin:] if e["type"].endswith("removed")]
    assert [one.get("partID", one["messageID"]) for one in removed] == [*later, finish]
    assert len(rig.messages(session)[1].parts) == 2


def test_removals_outlast_a_kill(tmp_path):
    rig = Rig(tmp_path)
    commands = EditCommands(rig.services, rig.turns)
    session, ids = talked(rig, "one", "two")
    commands.remove(MessageDelete(session, ids[3]))
    later = rig.killed()
    gone = [e["properties"] for e in later.events if e["type"] == "message.removed"]
    assert gone == [{"sessionID": session, "messageID": ids[3]}]
    updated = [
        e["properties"]["info"]["id"] for e in later.events if e["type"] == "message.updated"
    ]
    assert updated == ids[:3]


def test_a_part_is_replaced_and_removed(rig, commands):
    session, (prompt, _) = talked(rig, "one")
    part = msgspec.json.decode(rig.messages(session)[0].parts[0])["id"]
    changed = TextPart(id=part, sessionID=session, messageID=prompt, text="other")
    assert commands.patch_part(PartPatch(session, prompt, part, changed)) == changed
    assert parts(rig, session)[0] == ["other"]
    assert rig.events[-1]["properties"]["part"]["text"] == "other"
    assert commands.remove(MessageDelete(session, prompt, part)) is True
    assert parts(rig, session)[0] == []
    assert rig.events[-1]["type"] == "message.part.removed"


@pytest.mark.parametrize("field", ["sessionID", "messageID", "id", "type"])
def test_a_part_keeps_its_place_and_its_type(rig, commands, field):
    session, (prompt, _) = talked(rig, "one")
    part = msgspec.json.decode(rig.messages(session)[0].parts[0])["id"]
    ids = {"id": part, "sessionID": session, "messageID": prompt}
    body = (
        AgentPart(**ids, name="x") if field == "type" else TextPart(**{**ids, field: "x"}, text="")
    )
    with pytest.raises(CommandFailed) as caught:
        commands.patch_part(PartPatch(session, prompt, part, body))
    assert (caught.value.kind, caught.value.field) == ("invalid", field)
    assert parts(rig, session)[0] == ["one"]


def test_nothing_is_changed_while_a_turn_runs(rig, commands):
    session, (prompt, answer) = talked(rig, "one")
    rig.turns._coming[session] = 1
    for act in (
        lambda: commands.revert(session, RevertBody(messageID=prompt)),
        lambda: commands.revert(session, None),
        lambda: commands.remove(MessageDelete(session, answer)),
    ):
        with pytest.raises(CommandFailed) as caught:
            act()
        assert caught.value.kind == "conflict"


def test_what_is_not_there_is_named(rig, commands):
    session, (prompt, _) = talked(rig, "one")
    other, _ = talked(rig, "two")
    for act, error in (
        (lambda: commands.revert("ses_x", RevertBody(messageID=prompt)), UnknownMessage),
        (lambda: commands.revert("ses_x", None), UnknownSession),
        (lambda: commands.revert(session, RevertBody(messageID="msg_x")), UnknownMessage),
        (
            lambda: commands.revert(session, RevertBody(messageID=prompt, partID="prt_x")),
            UnknownMessage,
        ),
        (lambda: commands.remove(MessageDelete(other, prompt)), UnknownMessage),
        (lambda: commands.remove(MessageDelete(session, prompt, "prt_x")), UnknownMessage),
        (lambda: rig.sessions.fork(session, ForkBody(messageID="msg_x")), UnknownMessage),
        (lambda: rig.sessions.fork("ses_x", ForkBody()), UnknownSession),
        (lambda: rig.sessions.children("ses_x"), UnknownSession),
    ):
        with pytest.raises(error):
            act()


def test_a_copy_has_ids_of_its_own_and_readers_get_all_of_it(rig, commands):
    session, ids = talked(rig, "one", "two")
    begin = len(rig.events)
    copy = rig.sessions.fork(session, ForkBody())
    assert (copy.title, copy.directory) == ("fixed title (fork #1)", DIRECTORY)
    assert parts(rig, copy.id) == parts(rig, session)
    copied = [decoded(one) for one in rig.messages(copy.id)]
    assert {one["sessionID"] for one in copied} == {copy.id}
    assert not {one["id"] for one in copied} & set(ids)
    assert [one.get("parentID") for one in copied] == [
        None,
        copied[0]["id"],
        None,
        copied[2]["id"],
    ]
    said = names(rig, begin)
    assert said[0] == "session.created"
    assert said.count("message.updated") == 4
    assert rig.sessions.fork(copy.id, ForkBody()).title == "fixed title (fork #2)"


def test_a_copy_ends_before_a_message_and_before_what_is_hidden(rig, commands):
    session, ids = talked(rig, "one", "two", "three")
    assert len(rig.messages(rig.sessions.fork(session, ForkBody(messageID=ids[2])).id)) == 2
    commands.revert(session, RevertBody(messageID=ids[4]))
    assert len(rig.messages(rig.sessions.fork(session, ForkBody()).id)) == 4
    assert len(rig.messages(rig.sessions.fork(session, ForkBody(messageID=ids[5])).id)) == 4


def test_a_copy_ends_before_the_hidden_parts_of_a_message(rig, commands):
    session, ids = talked(rig, "one", "two")
    finish = msgspec.json.decode(rig.messages(session)[1].parts[2])["id"]
    commands.revert(session, RevertBody(messageID=ids[1], partID=finish))
    for body, kept in ((ForkBody(), [1, 2]), (ForkBody(messageID=ids[1]), [1])):
        copy = rig.sessions.fork(session, body).id
        assert [len(one.parts) for one in rig.messages(copy)] == kept


def test_many_messages_are_undone_at_once_and_deleted_in_slices(rig, commands, monkeypatch):
    monkeypatch.setattr(sessions, "SMALL_PARTS", 4)
    monkeypatch.setattr(upkeep, "SMALL_PARTS", 4)
    session, ids = talked(rig, "one", "two", "three")
    commands.revert(session, RevertBody(messageID=ids[2]))
    rig.prompt(session, "instead")
    gone = [e["properties"]["messageID"] for e in rig.events if e["type"] == "message.removed"]
    assert gone == ids[2:]
    assert [one[0] for one in parts(rig, session)] == ["one", "answer to one", "instead"]
    assert [decoded(one)["id"] for one in rig.messages(session)][:2] == ids[:2]

    def count(table: str) -> int:
        query = f"SELECT count(*) FROM {table}"
        return rig.database.call(lambda db: db.execute(query).fetchone())[0]

    assert count("session") == 2
    assert rig.database.call(sessions.made)[0][0] == session
    while rig.database.call(upkeep.purge):
        pass
    assert (count("session"), count("message"), count("part")) == (1, 3, 5)


def test_a_copy_that_a_kill_interrupts_is_never_seen(tmp_path):
    rig = Rig(tmp_path)
    session, _ = talked(rig, "one")
    copy = rig.sessions._new(DIRECTORY, CreateBody(title="half"))
    rig.database.call(sessions.insert, copy, hidden=sessions.INCOMPLETE)
    with pytest.raises(UnknownSession):
        rig.database.call(sessions.get, copy.id)
    later = rig.killed()
    while later.database.call(upkeep.purge):
        pass
    rows = later.database.call(lambda db: db.execute("SELECT id FROM session").fetchall())
    assert rows == [(session,)]
    later.close()


def test_children_are_listed_the_newest_first(rig):
    parent = rig.sessions.create(DIRECTORY, CreateBody()).id
    first = rig.sessions.create(DIRECTORY, CreateBody(parentID=parent)).id
    second = rig.sessions.create(DIRECTORY, CreateBody(parentID=parent)).id
    assert [one.id for one in rig.sessions.children(parent)] == [second, first]
    rig.sessions.delete(second)
    assert [one.id for one in rig.sessions.children(parent)] == [first]


def test_a_copy_keeps_the_outputs_of_its_tool_calls(rig: Rig, tmp_path: Path) -> None:
    spool = rig.services.outputs
    session, (_, answer) = talked(rig, "one")
    text, said = cut("x" * 100_000, spool, session)
    state = ToolCompleted({}, text, "t", said, Span(1, 2))
    where = {"id": "prt_zz", "sessionID": session, "messageID": answer}
    part = ToolPart(**where, callID="c1", tool="bash", state=state)
    rig.database.call(stored.put_part, part)
    copy = rig.sessions.fork(session, ForkBody()).id
    rig.sessions.delete(session)
    [found] = [
        one["state"]
        for message in rig.messages(copy)
        for one in map(msgspec.json.decode, message.parts)
        if one["type"] == "tool"
    ]
    metadata = found["metadata"]
    assert session not in str(found)
    assert metadata["outputPath"] in found["output"]
    assert Path(metadata["outputPath"]).read_text() == "x" * 100_000
    assert metadata["outputURL"] == f"/weir/session/{copy}/output/{metadata['outputID']}"
