"""What an editor is told of one session, event by event."""

import msgspec
import pytest

from acp_client.content.options import AgentEntry, Providers
from acp_client.protocol.updates import (
    AgentChunk,
    ImageBlock,
    InfoChanged,
    LinkBlock,
    ModeChanged,
    NewToolCall,
    OptionsChanged,
    Plan,
    ThoughtChunk,
    ToolCallUpdate,
    UsageUpdate,
)
from acp_client.protocol.wire import Stored
from tests import traces
from tests.unit.acp_client.screen import (
    MESSAGE,
    PART,
    Editor,
    conversation,
    delta,
    ended,
    event,
    message,
    of_wire,
    part,
    shown,
    tool,
)

TOKENS = {"input": 10, "output": 5, "reasoning": 2, "cache": {"read": 3, "write": 0}}
MODEL = {"providerID": "fake", "modelID": "m1"}


def stored(*parts, completed=False, **info):
    time = {"created": 1, "completed": 2} if completed else {"created": 1}
    info = {"id": MESSAGE, "role": "assistant", "time": time, **info}
    return msgspec.convert({"info": info, "parts": list(parts)}, Stored)


def stored_part(text="", closed=False, id=PART, **more):
    time = {"start": 1, "end": 2} if closed else {"start": 1}
    return {"id": id, "messageID": MESSAGE, "type": "text", "text": text, "time": time, **more}


def test_text_and_thoughts_are_chunks_of_their_own_messages():
    editor = shown(
        message(),
        part(id="prt_0", type="reasoning"),
        delta("hm", id="prt_0"),
        part(),
        delta("Hel"),
        delta("lo"),
        part("Hello", closed=True),
    )
    assert editor.text("prt_0", "thought") == "hm"
    assert editor.text(MESSAGE) == "Hello"


def test_what_the_user_said_is_not_told():
    editor = shown(message("user"), part("hi"), part("more", id="prt_2"))
    assert editor.updates == []


def test_ignored_text_is_not_told():
    assert shown(message(), part("x", ignored=True), delta("y")).updates == []


def test_an_early_delta_waits_for_its_part():
    talk = conversation()
    assert shown(message(), delta("Hel"), to=talk).updates == []
    assert talk.early.unasked() == [MESSAGE]
    assert shown(part(), delta("lo"), part("Hello", closed=True), to=talk).text() == "Hello"
    assert not talk.early


def test_early_events_wait_for_their_message():
    talk = conversation()
    assert shown(part(), delta("Hel"), to=talk).updates == []
    assert shown(message(), delta("lo"), to=talk).text() == "Hello"


def test_early_events_of_a_user_are_forgotten():
    talk = conversation()
    assert shown(part("hi"), message("user"), to=talk).updates == []
    assert not talk.early


def test_early_deltas_that_the_part_already_holds_count_once():
    assert shown(message(), delta("Hel"), part("Hello"), delta("!")).text() == "Hello!"


def test_an_answer_of_the_server_ends_the_wait():
    talk, editor = conversation(), Editor()
    editor.apply(talk.apply(message()))
    editor.apply(talk.apply(delta("Hel")))
    editor.apply(talk.learn(MESSAGE, stored(stored_part(""))))
    editor.apply(talk.apply(delta("lo")))
    assert editor.text() == "Hello"
    assert not talk.early


def test_deltas_of_a_message_whose_beginning_nobody_saw_wait_for_the_snapshot():
    talk, editor = conversation(), Editor()
    editor.apply(talk.apply(delta("world")))
    editor.apply(talk.learn(MESSAGE, stored(stored_part(""))))
    assert editor.text() == ""
    editor.apply(talk.apply(part("Hello world", closed=True)))
    assert editor.text() == "Hello world"


def test_no_answer_is_not_remembered_as_one():
    talk = conversation()
    talk.apply(delta("Hel"))
    talk.early.asked.add(MESSAGE)
    assert talk.learn(MESSAGE, None) == []
    assert talk.early.unasked() == []
    assert shown(message(), part("Hello", closed=True), to=talk).text() == "Hello"


def test_a_message_that_ended_takes_its_parts_out_of_the_cache():
    talk = conversation()
    shown(message(), part(), delta("Hello"), ended(), to=talk)
    assert len(talk._parts) == 0
    assert shown(part("Hello, again", closed=True), delta("x"), ended(), to=talk).updates == []


def test_after_a_hole_parts_may_follow_their_message():
    talk = conversation()
    shown(message(), part(), delta("He"), to=talk)
    talk.note_gap()
    editor = shown(ended(), part("Hello", closed=True), to=talk)
    assert editor.text() == "llo"
    assert talk.flush() == []
    assert len(talk._parts) == 0


def test_a_text_of_another_wording_is_a_message_of_its_own():
    editor = shown(message(), part(), delta("Hello world"), part("Goodbye", closed=True))
    assert editor.text(MESSAGE) == "Hello world"
    assert editor.text(PART) == "Goodbye"


def test_text_that_comes_with_no_delta_is_told():
    assert shown(message(), part("all at once", closed=True)).text() == "all at once"


def test_text_withheld_at_the_end_of_a_turn_is_flushed():
    talk = conversation()
    editor = shown(message(), part(), delta("Hello "), to=talk)
    editor.apply(talk.flush())
    assert editor.text() == "Hello "


def test_a_removed_part_is_forgotten():
    removed = event("message.part.removed", sessionID="ses_1", messageID=MESSAGE, partID=PART)
    talk = conversation()
    shown(message(), part(), removed, to=talk)
    assert len(talk._parts) == 0


def test_a_tool_is_called_updated_and_done():
    given = {"command": "ls", "description": "Lists"}
    editor = shown(
        message(),
        tool("pending", input={}),
        tool("running", input=given),
        tool("running", input=given, metadata={"output": "a\n"}),
        tool("running", input=given, metadata={"output": "a\n"}),
        tool("completed", input=given, output="a\nb\n", metadata={"exit": 0}, title="ls"),
        tool("running", input=given),
    )
    [call] = editor.of(NewToolCall)
    assert (call.toolCallId, call.kind, call.status) == ("call_1", "execute", "pending")
    updates = editor.of(ToolCallUpdate)
    assert [update.status for update in updates] == [
        "in_progress",
        msgspec.UNSET,
        "completed",
    ]
    assert updates[0].title == "ls"
    assert updates[0].rawInput == given
    assert "a\nb\n" in updates[2].content[0].content.text


def test_old_output_that_is_thrown_away_is_no_news():
    compacted = {"start": 1, "end": 2, "compacted": 3}
    assert shown(message(), tool("completed", input={}, output="", time=compacted)).updates == []


def test_a_todo_list_is_a_plan():
    todos = [
        {"content": "dig", "status": "cancelled", "priority": "high"},
        {"content": "fill", "status": "in_progress", "priority": "urgent", "id": "2"},
    ]
    [plan] = shown(event("todo.updated", sessionID="ses_1", todos=todos)).of(Plan)
    assert [(e.content, e.status, e.priority) for e in plan.entries] == [
        ("dig", "completed", "high"),
        ("fill", "in_progress", "medium"),
    ]


def test_a_title_is_told_when_it_changes():
    def renamed(title):
        info = {"id": "ses_1", "title": title, "time": {"created": 1, "updated": 1000}}
        return event("session.updated", sessionID="ses_1", info=info)

    talk = conversation(title="New session")
    assert shown(renamed("New session"), to=talk).updates == []
    [info] = shown(renamed("Water"), renamed("Water"), to=talk).of(InfoChanged)
    assert (info.title, info.updatedAt) == ("Water", "1970-01-01T00:00:01+00:00")


def test_usage_is_told_when_an_answer_has_ended():
    editor = shown(
        message(**MODEL),
        ended(**MODEL, tokens=TOKENS, cost=0.5),
        message(id="msg_2", **MODEL),
        ended(id="msg_2", **MODEL, tokens=TOKENS, cost=0.25),
    )
    assert [(u.used, u.size, u.cost.amount) for u in editor.of(UsageUpdate)] == [
        (20, 1000, 0.5),
        (20, 1000, 0.75),
    ]


@pytest.mark.parametrize("more", [{}, {"tokens": {}}, {"tokens": TOKENS, "modelID": "unknown"}])
def test_no_usage_is_told_of_what_has_none(more):
    assert shown(message(**MODEL), ended(**{**MODEL, **more})).of(UsageUpdate) == []


def test_the_mode_that_somebody_else_chooses_is_told():
    models = {"m1": {}, "m2": {}}
    providers = msgspec.convert({"providers": [{"id": "fake", "models": models}]}, Providers)
    agents = [AgentEntry("build"), AgentEntry("plan")]
    talk = conversation(providers=providers, agents=agents)
    mine = message("user", id="msg_1", agent="build", model=MODEL)
    theirs = message("user", id="msg_2", agent="plan", model={**MODEL, "modelID": "m2"})
    assert shown(mine, to=talk).updates == []
    editor = shown(theirs, theirs, to=talk)
    assert [mode.currentModeId for mode in editor.of(ModeChanged)] == ["plan"]
    [options] = editor.of(OptionsChanged)
    assert [one["currentValue"] for one in options.configOptions] == ["fake/m2", "plan"]


def test_files_of_an_answer_are_pictures_or_links():
    picture = {"url": "data:image/png;base64,AAAA", "mime": "image/png"}
    link = {"url": "file:///srv/a.txt", "mime": "text/plain", "filename": "a.txt"}
    editor = shown(message(), part(type="file", **picture), part(type="file", id="p2", **link))
    assert [chunk.content for chunk in editor.of(AgentChunk)] == [
        ImageBlock("AAAA", "image/png"),
        LinkBlock("a.txt", "file:///srv/a.txt", "text/plain"),
    ]


def test_half_a_surrogate_pair_harms_nothing():
    events = [message(), part(), delta("a\ud83c"), delta("\udf0ab"), part("a🌊b", closed=True)]
    editor = shown(*events)
    assert editor.text() == "a🌊b"
    assert not editor.of(ThoughtChunk)


@pytest.mark.parametrize("name", traces.ALL)
def test_what_other_pipelines_lost_or_doubled_is_told_once(name):
    trace = traces.ALL[name]()
    editor = shown(*map(of_wire, trace.events))
    assert editor.text(traces.MESSAGE_ID) == trace.text
