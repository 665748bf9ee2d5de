"""A session that is loaded: all that was said, and the way it goes on."""

import msgspec
import pytest

from acp_client.protocol.updates import NewToolCall, UsageUpdate, UserChunk
from acp_client.protocol.wire import Stored
from acp_client.session.history import replay
from tests import recorded
from tests.unit.acp_client.screen import (
    MESSAGE,
    Editor,
    conversation,
    delta,
    ended,
    message,
    part,
)


def loaded(name):
    messages = recorded.final_messages(name)[0]
    editor, talk = Editor(), conversation()
    editor.apply(replay(msgspec.convert(messages, list[Stored]), talk))
    return editor, talk, messages


@pytest.mark.parametrize("name", ["plain", "reason", "tool_once", "old-1.2.27/reason", "abort"])
def test_all_that_was_said_is_replayed_in_order(name):
    editor, _, messages = loaded(name)
    kinds = {("user", "text"): "user", ("assistant", "text"): "agent"}
    kinds["assistant", "reasoning"] = "thought"
    said = [
        (kinds[one["info"]["role"], p["type"]], p["text"])
        for one in messages
        for p in one["parts"]
        if (one["info"]["role"], p["type"]) in kinds and p["text"]
    ]
    assert [(kind, text) for (kind, _), text in editor.said.items()] == said


def test_tools_are_replayed_whole():
    editor, _, _ = loaded("write_file")
    [call] = editor.of(NewToolCall)
    assert call.status == "completed"
    assert call.content[0].path == "/srv/demo/proj1/made.txt"


def test_what_was_replayed_is_not_told_again():
    editor, talk, messages = loaded("plain")
    before = len(editor.updates)
    last = messages[-1]["info"]
    editor.apply(talk.apply(ended(id=last["id"])))
    text = next(p for p in messages[-1]["parts"] if p["type"] == "text")
    editor.apply(talk.apply(part(text["text"], closed=True, id=text["id"], message=last["id"])))
    assert len(editor.updates) == before


def test_an_answer_in_the_making_goes_on():
    info = {"id": MESSAGE, "role": "assistant", "time": {"created": 1}}
    text = {"id": "prt_1", "messageID": MESSAGE, "type": "text", "text": "Hel", "time": {}}
    talk, editor = conversation(), Editor()
    editor.apply(replay(msgspec.convert([{"info": info, "parts": [text]}], list[Stored]), talk))
    editor.apply(talk.apply(delta("lo wor")))
    assert editor.text() == "Hel"
    editor.apply(talk.apply(part("Hello world", closed=True)))
    assert editor.text() == "Hello world"


def test_only_the_last_usage_is_told_and_all_the_cost():
    def answer(n):
        tokens = {"input": n, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        info = {"id": f"msg_{n}", "role": "assistant", "time": {"created": 1, "completed": 2}}
        info |= {"tokens": tokens, "cost": 0.5, "providerID": "fake", "modelID": "m1"}
        return {"info": info, "parts": []}

    stored = msgspec.convert([answer(1), answer(2)], list[Stored])
    [usage] = replay(stored, conversation())
    assert isinstance(usage, UsageUpdate)
    assert (usage.used, usage.cost.amount) == (2, 1.0)


def test_what_the_server_added_to_a_prompt_is_not_the_persons():
    parts = [
        {"id": "p1", "messageID": "m", "type": "text", "text": "read this"},
        {"id": "p2", "messageID": "m", "type": "text", "text": "contents", "synthetic": True},
        {"id": "p3", "messageID": "m", "type": "file", "url": "file:///a", "mime": "text/plain"},
    ]
    info = {"id": "m", "role": "user", "time": {"created": 1}}
    updates = replay(
        msgspec.convert([{"info": info, "parts": parts}], list[Stored]), conversation()
    )
    assert [type(update) for update in updates] == [UserChunk, UserChunk]
    assert updates[0].content.text == "read this"


def test_a_prompt_that_was_replayed_begins_no_turn():
    editor, talk, messages = loaded("plain")
    before = len(editor.updates)
    editor.apply(talk.apply(message("user", id=messages[0]["info"]["id"], agent="build")))
    assert len(editor.updates) == before
    assert talk.knows(messages[0]["info"]["id"])
