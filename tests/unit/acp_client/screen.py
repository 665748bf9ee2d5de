"""What an editor shows: it applies updates, and has the text of each message."""

import json

from msgspec import Raw

from acp_client.content.options import Catalogue, Choices, Config, Providers
from acp_client.content.usage import Meter
from acp_client.protocol.updates import AgentChunk, TextBlock, ThoughtChunk, UserChunk
from acp_client.protocol.wire import Event, Session
from acp_client.session.conversation import Conversation

SESSION, MESSAGE, PART = "ses_1", "msg_1", "prt_1"
DIRECTORY = "/srv/demo/proj1"
SIZES = {"fake/m1": 1000}


class Editor:
    """Applies updates of one session.

    Attributes:
        updates: all of them, in order.
        said: text by kind (``agent``, ``thought``, ``user``) and message.
    """

    def __init__(self):
        self.updates = []
        self.said = {}

    def apply(self, updates):
        for update in updates:
            self.updates.append(update)
            kind = {AgentChunk: "agent", ThoughtChunk: "thought", UserChunk: "user"}.get(
                type(update)
            )
            if kind and isinstance(update.content, TextBlock):
                key = kind, update.messageId
                self.said[key] = self.said.get(key, "") + update.content.text

    def text(self, message=MESSAGE, kind="agent"):
        return self.said.get((kind, message), "")

    def of(self, kind):
        return [update for update in self.updates if isinstance(update, kind)]


def conversation(session=SESSION, providers=None, agents=(), **known):
    catalogue = Catalogue(providers or Providers(), agents, Config())
    made = Session(id=session, directory=DIRECTORY, **known)
    return Conversation(made, Choices(catalogue, made), Meter(SIZES))


def event(type_, **properties):
    return Event(type_, Raw(json.dumps(properties).encode()))


def of_wire(wire):
    """An event as the stream has it."""
    return event(wire["type"], **wire["properties"])


def message(role="assistant", id=MESSAGE, **more):
    info = {"id": id, "sessionID": SESSION, "role": role, "time": {"created": 1}, **more}
    return event("message.updated", sessionID=SESSION, info=info)


def ended(id=MESSAGE, **more):
    return message(id=id, time={"created": 1, "completed": 2}, **more)


def part(text="", closed=False, id=PART, type="text", message=MESSAGE, **more):
    time = {"start": 1, "end": 2} if closed else {"start": 1}
    body = {"id": id, "messageID": message, "sessionID": SESSION, "type": type}
    body |= {"text": text, "time": time, **more}
    return event("message.part.updated", sessionID=SESSION, part=body, time=1)


def delta(text, id=PART, message=MESSAGE, field="text"):
    ids = {"sessionID": SESSION, "messageID": message, "partID": id}
    return event("message.part.delta", **ids, field=field, delta=text)


def status(type_="idle"):
    return event("session.status", sessionID=SESSION, status={"type": type_})


def tool(status, tool="bash", call="call_1", id="prt_tool", message=MESSAGE, **state):
    body = {"id": id, "messageID": message, "sessionID": SESSION, "type": "tool"}
    body |= {"callID": call, "tool": tool, "state": {"status": status, **state}}
    return event("message.part.updated", sessionID=SESSION, part=body, time=1)


def shown(*events, to=None):
    """What an editor shows after these events."""
    one, editor = to or conversation(), Editor()
    for each in events:
        editor.apply(one.apply(each))
    return editor
