"""What goes to the editor, over a real pipe."""

import json
import os
import threading

import pytest

from acp_client.editor.outlet import EditorOutlet
from acp_client.protocol.updates import AgentChunk, TextBlock, ThoughtChunk, ToolCallUpdate
from tests.processes import DEADLINE_S, wait_until


def chunk(text, message="msg_1", kind=AgentChunk):
    return kind(content=TextBlock(text), messageId=message)


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        os.close(fd)


def lines(read, count):
    with os.fdopen(os.dup(read), "rb") as stream:
        return [json.loads(stream.readline()) for _ in range(count)]


def filled(outlet):
    """Write until the pipe takes no more."""
    outlet.send(b"x" * (1024 * 1024) + b"\n")
    wait_until(lambda: outlet._busy, what="a write that waits")


def test_lines_leave_in_order(pipe):
    read, write = pipe
    outlet = EditorOutlet(write)
    outlet.update("ses_1", chunk("a"))
    outlet.send(b'{"id":1}\n')
    outlet.update("ses_1", chunk("b"))
    first, second, third = lines(read, 3)
    assert first["params"]["update"]["content"]["text"] == "a"
    assert second == {"id": 1}
    assert third["params"] == {
        "sessionId": "ses_1",
        "update": {
            "sessionUpdate": "agent_message_chunk",
            "content": {"type": "text", "text": "b"},
            "messageId": "msg_1",
        },
    }


def test_chunks_that_wait_are_merged_within_their_message(pipe):
    read, write = pipe
    outlet = EditorOutlet(write)
    filled(outlet)
    for update in (chunk("a"), chunk("b"), chunk("c", "msg_2"), chunk("d", "msg_2", ThoughtChunk)):
        outlet.update("ses_1", update)
    outlet.update("ses_2", chunk("e", "msg_2", ThoughtChunk))
    outlet.update("ses_2", chunk("f", "msg_2", ThoughtChunk))
    with os.fdopen(os.dup(read), "rb") as stream:
        stream.readline()
        got = [json.loads(stream.readline())["params"] for _ in range(4)]
    assert [one["update"]["content"]["text"] for one in got] == ["ab", "c", "d", "ef"]


def test_updates_of_a_tool_that_wait_are_merged_up_to_its_next_status(pipe):
    read, write = pipe
    outlet = EditorOutlet(write)
    filled(outlet)
    outlet.update("ses_1", ToolCallUpdate(toolCallId="c", status="in_progress", rawInput={"a": 1}))
    outlet.update("ses_1", ToolCallUpdate(toolCallId="c", title="x"))
    outlet.update("ses_1", ToolCallUpdate(toolCallId="c", title="y"))
    outlet.update("ses_1", ToolCallUpdate(toolCallId="c", status="completed"))
    with os.fdopen(os.dup(read), "rb") as stream:
        stream.readline()
        got = [json.loads(stream.readline())["params"]["update"] for _ in range(2)]
    assert got[0] == {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "c",
        "status": "in_progress",
        "rawInput": {"a": 1},
        "title": "y",
    }
    assert got[1]["status"] == "completed"


def test_whoever_reads_the_stream_waits_for_a_slow_editor(pipe):
    read, write = pipe
    outlet = EditorOutlet(write)
    filled(outlet)
    for number in range(3000):
        outlet.update("ses_1", chunk("x", f"msg_{number}"))
    waited = threading.Thread(target=outlet.wait_for_room, daemon=True)
    waited.start()
    waited.join(0.1)
    assert waited.is_alive()
    with os.fdopen(os.dup(read), "rb") as stream:
        for _ in range(3001):
            stream.readline()
    waited.join(DEADLINE_S)
    assert not waited.is_alive()


def test_an_editor_that_is_gone_is_noticed():
    read, write = os.pipe()
    outlet = EditorOutlet(write)
    os.close(read)
    outlet.send(b"x\n")
    assert outlet.broken.wait(DEADLINE_S)
    outlet.wait_for_room()
    outlet.flush(20)
    os.close(write)
