"""What a person reads of an event stream: every text once, and who says it."""

import re
from collections import Counter, defaultdict

import pytest

from deploy.transcript import Transcript
from tests import recorded

SESSION, OTHER = "ses_1", "ses_2"


def text_of(events, **how):
    transcript = Transcript(**how)
    return "".join(transcript.text(event) for event in events)


def lines(events):
    """What is written after the header of the one session."""
    header, _, rest = text_of(events).partition("\n")
    assert header == f"── {SESSION}"
    return rest


def event(kind, **properties):
    return {"type": kind, "properties": {"sessionID": SESSION, **properties}}


def message(role, message_id="msg_1", **time):
    info = {"id": message_id, "sessionID": SESSION, "role": role, "time": {"created": 1, **time}}
    return event("message.updated", info=info)


def snapshot(text, ended=False, kind="text", part="prt_1", session=SESSION, message="msg_1"):
    time = {"start": 1, "end": 2} if ended else {"start": 1}
    body = {"id": part, "sessionID": session, "messageID": message, "type": kind, "text": text}
    return event("message.part.updated", part={**body, "time": time})


def delta(text, part="prt_1", session=SESSION):
    where = {"sessionID": session, "messageID": "msg_1", "partID": part, "field": "text"}
    return {"type": "message.part.delta", "properties": {**where, "delta": text}}


def tool(status, part="prt_1", **state):
    body = {"id": part, "sessionID": SESSION, "messageID": "msg_1", "type": "tool"}
    state = {"status": status, "input": {}, **state}
    return event(
        "message.part.updated", part={**body, "callID": "c", "tool": "bash", "state": state}
    )


def test_text_that_grew_by_deltas_is_not_repeated_by_its_closing_snapshot():
    events = [snapshot(""), delta("one "), delta("two"), snapshot("one two", ended=True)]
    assert lines(events) == "one two"


def test_text_that_came_in_no_delta_is_written_from_the_snapshot():
    assert lines([snapshot(""), snapshot("one two", ended=True)]) == "one two"


def test_a_reader_that_came_late_gets_the_rest_of_what_the_snapshot_adds():
    events = [snapshot("one "), delta("two "), snapshot("one two three", ended=True)]
    assert lines(events) == "one two three"


def test_text_that_was_replaced_is_said_to_be():
    events = [delta("secret"), snapshot("censored", ended=True)]
    assert lines(events) == "secret\n(text replaced)\ncensored"


def test_white_space_trimmed_from_the_end_is_no_replacement():
    assert lines([delta("one two \n"), snapshot("one two", ended=True)]) == "one two \n"


def test_text_is_not_repeated_to_a_reader_that_came_back():
    user = [message("user"), snapshot("hello", part="prt_0")]
    answer = [message("assistant", "msg_2"), snapshot("one two", ended=True, message="msg_2")]
    done = tool("completed", part="prt_2", title="ls")
    events = [*user, delta("one two"), answer[1], done]
    assert lines([*events, *user, *answer, done]) == lines(events)


def test_text_that_changes_after_its_end_is_said_to_be_replaced():
    events = [delta("one"), snapshot("one", ended=True), snapshot("two", ended=True)]
    assert lines(events) == "one\n(text replaced)\ntwo"


def test_parts_begin_on_lines_of_their_own():
    events = [
        snapshot("", kind="reasoning"),
        delta("hm"),
        snapshot("hm", True, "reasoning"),
        delta("so", part="prt_2"),
        delta(" it is", part="prt_2"),
        event("session.status", status={"type": "idle"}),
    ]
    assert lines(events) == "hm\nso it is\n(idle)\n"


def test_reasoning_is_dim_and_text_is_not():
    events = [snapshot("", kind="reasoning"), delta("hm"), delta("so", part="prt_2")]
    assert text_of(events, color=True).endswith("\x1b[2mhm\x1b[0m\nso")


def test_without_colour_there_is_no_escape():
    everything = [event for name in recorded.scenarios() for event in recorded.events(name)]
    assert "\x1b" not in text_of(everything)


def test_a_prompt_is_marked():
    events = [message("user"), snapshot("what is\nnew?")]
    assert lines(events) == "> what is\nnew?\n"


def test_a_tool_is_told_by_its_changes():
    error = {"title": "", "error": "no such file"}
    events = [
        tool("pending"),
        tool("running", title="list files"),
        tool("running", title="list files", metadata={"output": "a"}),
        tool("completed", title="list files"),
        tool("error", part="prt_2", **error),
    ]
    assert lines(events).splitlines() == [
        "* bash pending",
        "* bash running list files",
        "* bash completed list files",
        "* bash error no such file",
    ]


def test_what_waits_for_a_person_is_told():
    options = [{"label": "A", "description": ""}]
    events = [
        event("permission.asked", id="per_1", permission="bash", patterns=["ls *", "cd *"]),
        event(
            "question.asked", id="que_1", questions=[{"question": "Which?", "options": options}]
        ),
        event(
            "todo.updated",
            todos=[
                {"content": "first", "status": "completed"},
                {"content": "then", "status": "in_progress"},
                {"content": "last", "status": "pending"},
            ],
        ),
    ]
    assert lines(events).splitlines() == [
        "? may bash: ls *, cd *",
        "? Which?",
        "[x] first",
        "[>] then",
        "[ ] last",
    ]


def test_errors_and_retries_are_told():
    retry = {"type": "retry", "attempt": 2, "message": "too many", "next": 5}
    failure = {"name": "APIError", "data": {"message": "no credit"}}
    events = [event("session.status", status=retry), event("session.error", error=failure)]
    assert lines(events) == "(retry 2: too many)\n! APIError: no credit\n"
    assert text_of([{"type": "session.error", "properties": {}}]) == "! error: \n"


def test_two_sessions_are_told_apart():
    created = {"id": OTHER, "title": "other"}
    events = [
        {"type": "session.created", "properties": {"info": created}},
        delta("one "),
        delta("eins ", "prt_2", OTHER),
        delta("zwei", "prt_2", OTHER),
        delta("two"),
        snapshot("one two", ended=True),
    ]
    assert text_of(events).splitlines() == [
        f"── {OTHER} other",
        "# other",
        f"── {SESSION}",
        "one ",
        f"── {OTHER} other",
        "eins zwei",
        f"── {SESSION}",
        "two",
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"type": "tomorrow.came", "properties": 7},
        {"type": "server.connected", "properties": {}},
        {"type": "sync", "syncEvent": {}},
    ],
)
def test_what_is_not_for_people_is_left_out(odd):
    assert text_of([odd]) == ""


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "session.updated", "properties": {"info": None}},
        {"type": "message.updated", "properties": {"info": {"id": "msg_1"}}},
        {"type": "message.part.updated", "properties": {"part": {"type": "tool", "id": "p"}}},
        {"type": "message.part.delta"},
        {"type": "todo.updated", "properties": {"sessionID": SESSION, "todos": 7}},
        {"type": "session.status", "properties": ["busy"]},
    ],
)
def test_a_form_that_nobody_foresaw_is_said_and_the_rest_goes_on(odd):
    written = text_of([delta("one"), odd, delta("two")])
    assert f"one\n({odd['type']}, in a form unknown here)\n" in written
    assert written.endswith("two")


def by_session(written):
    """What was written of each session, put together again where others came in between."""
    texts = defaultdict(str)
    for segment in re.split(r"^── (?=ses_)", written, flags=re.MULTILINE)[1:]:
        header, _, text = segment.partition("\n")
        texts[header.partition(" ")[0]] += text.removesuffix("\n")
    return texts


@pytest.mark.parametrize("name", recorded.scenarios())
def test_the_transcript_of_a_recording_has_each_final_text_once(name):
    written = by_session(text_of(recorded.events(name)))
    for messages in recorded.final_messages(name):
        parts = [part for one in messages for part in one["parts"] if part.get("text")]
        times = Counter((part["sessionID"], part["text"]) for part in parts)
        for (session, text), count in times.items():
            assert written[session].count(text) == count, text[:80]
