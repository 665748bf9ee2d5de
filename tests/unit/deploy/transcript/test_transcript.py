"""What a person reads of an event stream: every text once, and who says it."""

import re
import time
from collections import Counter, defaultdict

import pytest

from deploy.transcript.page import TranscriptPage
from deploy.transcript.transcript import Transcript
from tests import recorded
from tests.unit.deploy.transcript.written import (
    SESSION,
    STAMP,
    delta,
    edited,
    event,
    lines,
    message,
    snapshot,
    text_of,
    tool,
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
    assert lines(events) == "~ hm\nso it is\n(idle)\n"


def test_reasoning_is_dim_and_text_is_not():
    events = [snapshot("", kind="reasoning"), delta("hm"), delta("so", part="prt_2")]
    written = text_of(events, colour=True)
    assert "\x1b[2m~ hm\x1b[0m\n" in written
    assert written.endswith(" so")


def test_without_colour_there_is_no_escape():
    everything = [event for name in recorded.scenarios() for event in recorded.events(name)]
    assert "\x1b" not in text_of(everything)


def test_a_prompt_is_marked():
    events = [message("user"), snapshot("what is\nnew?")]
    assert lines(events) == "> what is\n  new?\n"


def test_what_waits_for_a_person_is_told():
    options = [{"label": "A", "description": ""}, {"label": "B", "description": "the other"}]
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
        "  - A",
        "  - B: the other",
        "[x] first",
        "  [>] then",
        "  [ ] last",
    ]


def test_what_was_answered_is_told():
    ask = {"id": "per_1", "permission": "bash", "patterns": ["ls"]}
    questions = [{"question": "Which?", "multiple": True}, {"question": "When?"}]
    asked = event("question.asked", id="que_1", questions=questions)
    events = [
        event("permission.asked", **ask),
        event("permission.asked", **ask),
        event("permission.replied", requestID="per_1", reply="always"),
        event("permission.replied", requestID="per_0", reply="reject"),
        asked,
        asked,
        event("question.replied", requestID="que_1", answers=[["A", "B"], []]),
        event("question.rejected", requestID="que_1"),
    ]
    assert lines(events).splitlines() == [
        "? may bash: ls",
        "= may bash: ls -> allowed always",
        "= -> rejected",
        "? Which? (any of them)",
        "  When?",
        "= Which? -> A, B",
        "  = When? -> nothing",
        "= Which? -> rejected",
    ]


def test_errors_and_retries_are_told():
    retry = {"type": "retry", "attempt": 2, "message": "too many", "next": 5}
    failure = {"name": "APIError", "data": {"message": "no credit"}}
    events = [event("session.status", status=retry), event("session.error", error=failure)]
    assert lines(events) == "(retry 2: too many)\n! APIError: no credit\n"
    assert STAMP.sub("", text_of([{"type": "session.error", "properties": {}}])) == "! error: \n"


def status(kind):
    return event("session.status", status={"type": kind})


def step(number, kind="step-start"):
    part = {"id": f"prt_{number}", "sessionID": SESSION, "messageID": "msg_1", "type": kind}
    return event("message.part.updated", part=part)


def test_busy_is_told_once_a_step():
    events = [
        *(status("busy"), status("busy"), step(1), status("busy"), step(2, "step-finish")),
        *(status("busy"), step(3), step(3), step(4, "step-finish"), status("busy")),
        *(status("idle"), status("idle"), status("busy"), step(5), status("idle")),
    ]
    expected = ["(busy)", "(busy)", "(idle)", "(busy)", "(idle)"]
    assert lines(events).splitlines() == expected


def test_two_sessions_are_told_apart_by_short_names():
    one, two = "ses_de2b81debffeOwBk9r23CyhZAn", "ses_de2b81cecffe2gEZOBSbt0x1hZAn"
    events = [
        {"type": "session.created", "properties": {"info": {"id": two, "title": "other"}}},
        delta("one ", session=one),
        delta("eins ", "prt_2", two),
        delta("zwei\n\nund\n", "prt_2", two),
        delta("two", session=one),
        delta("drei", "prt_2", two),
        {"type": "session.deleted", "properties": {"info": {"id": two}}},
    ]
    assert STAMP.sub("", text_of(events)).splitlines() == [
        f"hZAn ── {two}",
        "hZAn # other",
        f"yhZAn ── {one}",
        "yhZAn one ",
        "hZAn eins zwei",
        "",
        "  und",
        "yhZAn two",
        "hZAn drei",
        "hZAn (deleted)",
    ]


def test_the_past_of_a_session_is_dated_and_not_told_again_by_the_stream():
    now = time.mktime((2026, 11, 27, 13, 45, 2, 0, 0, -1))
    transcript = Transcript(TranscriptPage(clock=lambda: now))
    user, answer = message("user", "msg_0"), message("assistant", "msg_1", completed=2)
    parts = [snapshot("one\ntwo", ended=True)["properties"]["part"]]
    failure = {"name": "APIError", "data": {"message": "no"}}
    said = snapshot("hi", part="prt_0", message="msg_0")["properties"]["part"]
    messages = [
        {"info": user["properties"]["info"] | {"time": {"created": (now - 86400) * 1000}}},
        {"info": answer["properties"]["info"] | {"time": {"created": now * 1000 - 5000}}},
    ]
    messages[0]["parts"], messages[1]["parts"] = [said], parts
    messages[1]["info"]["error"] = failure
    info = {"id": SESSION, "title": "t", "time": {"created": (now - 86400) * 1000}}
    written = transcript.history(info, messages)
    assert written.splitlines() == [
        "11-26 13:45:02 1 ── ses_1",
        "11-26 13:45:02 1 # t",
        "11-26 13:45:02 1 > hi",
        "13:44:57 1 one",
        "  two",
        "13:44:57 1 ! APIError: no",
    ]
    assert transcript.history(info, messages) == ""
    assert transcript.text(snapshot("one\ntwo", ended=True)) == ""
    assert transcript.text(delta("more", part="prt_7")) == "13:45:02 1 more"


@pytest.mark.parametrize("time", [None, 7, {}, *({"created": c} for c in (1e300, -1, "x", {}))])
@pytest.mark.parametrize("odd", [{}, {"info": 7}, {"info": {"error": 7}, "parts": [7, {}]}])
def test_a_past_of_a_form_that_nobody_foresaw_is_read_as_far_as_it_can_be(time, odd):
    transcript = Transcript(TranscriptPage())
    good = {"info": message("user")["properties"]["info"] | {"time": time}}
    good["parts"] = [snapshot("hi", ended=True)["properties"]["part"]]
    written = transcript.history({"id": SESSION, "title": "t", "time": time}, [odd, good])
    assert written.endswith("> hi\n")


def test_a_file_of_a_prompt_is_named():
    part = {"id": "prt_1", "sessionID": SESSION, "messageID": "msg_1", "type": "file"}
    named = event("message.part.updated", part={**part, "filename": "a.png", "url": "data:,x"})
    assert lines([named, named]) == "> [a.png]\n"


def test_no_control_character_of_a_server_is_obeyed():
    bad = "\x1b]0;owned\x07\x9b2J"
    info = {"id": f"ses_{bad}", "title": bad}
    events = [
        {"type": "session.updated", "properties": {"info": info}},
        message("user"),
        snapshot(bad),
        delta(bad, part="prt_2"),
        tool("completed", part="prt_3", input={"command": bad}, output=bad),
        tool("error", part="prt_4", error=bad),
        edited(metadata={"filediff": {"file": bad, "before": "", "after": bad}}),
        event("session.error", error={"name": bad, "data": {"message": bad}}),
        event("session.status", status={"type": bad}),
        event("permission.asked", id="p", permission=bad, patterns=[bad]),
        event(
            "question.asked", id="q", questions=[{"question": bad, "options": [{"label": bad}]}]
        ),
        event("question.replied", requestID="q", answers=[[bad]]),
        event("todo.updated", todos=[{"content": bad, "status": bad}]),
    ]
    written = text_of(events)
    assert "unexpected properties" not in written
    assert written.count("owned") >= len(events) - 1
    assert not {"\x1b", "\x07", "\x9b"} & set(written)


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
    written = STAMP.sub("", text_of([delta("one"), odd, delta("two")]))
    assert f"one\n({odd['type']}, with unexpected properties)\n" in written
    assert written.endswith("two")


def by_session(written):
    """What was written of each session, put together again where others came in between."""
    texts, names, name = defaultdict(str), {}, None
    for line in written.splitlines(keepends=True):
        entry, before = STAMP.sub("", line), name
        if entry == line:
            texts[name] += line.removeprefix("  ")
            continue
        name, _, said = entry.partition(" ")
        if said.startswith("── ses_"):
            names[name] = said.split()[1]
            continue
        if name != before:
            texts[name] = texts[name].removesuffix("\n")
        texts[name] += said
    return {names[name]: text for name, text in texts.items()}


@pytest.mark.parametrize("name", recorded.scenarios())
def test_the_transcript_of_a_recording_has_each_final_text_once(name):
    written = by_session(text_of(recorded.events(name)))
    for messages in recorded.final_messages(name):
        parts = [part for one in messages for part in one["parts"] if part.get("text")]
        times = Counter((part["sessionID"], part["text"]) for part in parts)
        for (session, text), count in times.items():
            assert written[session].count(text) == count, text[:80]


@pytest.mark.parametrize("name", ["tool_once", "write_file", "question", "plain", "two_sessions"])
def test_a_recording_is_busy_once_a_step(name):
    events = recorded.events(name)
    parts = [event["properties"].get("part", {}) for event in events]
    steps = {part["id"] for part in parts if part.get("type") == "step-start"}
    busy = re.findall(r"^\S+ \S+ \(busy\)$", text_of(events), re.MULTILINE)
    assert len(busy) == len(steps) >= 1
