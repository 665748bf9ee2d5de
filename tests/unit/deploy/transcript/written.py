"""Events of a session, and what the transcript of them looks like."""

import re

from deploy.transcript.page import TranscriptPage
from deploy.transcript.transcript import Transcript

SESSION, OTHER = "ses_1", "ses_2"
STAMP = re.compile(r"^(?:\d\d-\d\d )?\d\d:\d\d:\d\d ", re.MULTILINE)


def text_of(events, colour=False, **how):
    transcript = Transcript(TranscriptPage(colour), **how)
    return "".join(transcript.text(event) for event in events)


def lines(events, **how):
    """What is written after the first line of the one session, without times and its name."""
    return alone(text_of(events, **how))


def alone(written):
    """The same of what is written."""
    header, _, rest = STAMP.sub("", written).partition("\n")
    assert header == f"1 ── {SESSION}"
    return re.sub("^1 ", "", rest, flags=re.MULTILINE)


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


def edited(status="completed", **state):
    given = {"filePath": "/srv/a.txt", "oldString": "b", "newString": "B"}
    event = tool(status, input=given, title="a.txt", **state)
    event["properties"]["part"]["tool"] = "edit"
    return event
