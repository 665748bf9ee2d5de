"""What went over the wire between a client and an agent, and what a test asks of it."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]
TURN = {
    "agent_message_chunk",
    "agent_thought_chunk",
    "user_message_chunk",
    "tool_call",
    "tool_call_update",
    "plan",
    "usage_update",
}
"""The updates that belong to a turn; a title or a list of commands may come at any time."""


class Frame(NamedTuple):
    """One message; ``step`` counts from 0, -1 while the agent is being initialized."""

    sent: bool
    step: int
    message: Json

    @property
    def update(self) -> Json | None:
        """The update of a notification of the agent, None of all else."""
        if not self.sent and self.message.get("method") == "session/update":
            return self.message["params"]["update"]
        return None


class Exchange(NamedTuple):
    """A step: its request, what came before the answer, the answer, and what came after it."""

    request: Json
    before: list[Frame]
    answer: Json
    after: list[Frame]

    @property
    def result(self) -> Json:
        """The answer of one that went well."""
        assert "result" in self.answer, self.answer
        return self.answer["result"]

    def updates(self, kind: str | None = None) -> list[Json]:
        """Return what the agent told before it answered, of one kind if one is given."""
        return _updates(self.before, kind)

    @property
    def late(self) -> list[Json]:
        """What belongs to a turn and came after the answer."""
        return [update for update in _updates(self.after) if update["sessionUpdate"] in TURN]

    @property
    def asked(self) -> list[Json]:
        """The parameters of each request for permission."""
        wanted = "session/request_permission"
        return [f.message["params"] for f in self.before if f.message.get("method") == wanted]

    def text(self, kind: str = "agent_message_chunk") -> str:
        """Return the text of all chunks of a kind."""
        return "".join(update["content"]["text"] for update in self.updates(kind))

    def tools(self) -> dict[str, Json]:
        """Return each tool call as its updates leave it, by id."""
        calls: dict[str, Json] = {}
        for update in self.updates():
            if update["sessionUpdate"] == "tool_call":
                assert update["toolCallId"] not in calls, "a tool call is announced once"
                calls[update["toolCallId"]] = dict(update)
            elif update["sessionUpdate"] == "tool_call_update":
                calls[update["toolCallId"]] |= update
        return calls

    def diffs(self) -> list[Json]:
        """Return every diff that a tool call ended with."""
        contents = (one for call in self.tools().values() for one in call.get("content") or ())
        return [content for content in contents if content["type"] == "diff"]


class Transcript(NamedTuple):
    """All that a client and an agent said, in the order of the wire.

    ``handled`` is how many messages reached the handlers of the client.
    """

    frames: list[Frame]
    handled: dict[str, int]

    @classmethod
    def parse(cls, lines: str) -> "Transcript":
        """Read what a client printed."""
        frames, step, handled = [], -1, {}
        for line in map(json.loads, lines.splitlines()):
            step = line.get("step", step)
            handled = line.get("handled", handled)
            if "message" in line:
                frames.append(Frame(line["sent"], step, line["message"]))
        return cls(frames, handled)

    def step(self, number: int) -> Exchange:
        """Return a step of the plan; a negative number counts from its last."""
        last = max(frame.step for frame in self.frames)
        own = [f for f in self.frames if f.step == (number if number >= 0 else last + 1 + number)]
        request = next(f.message for f in own if f.sent and is_request(f.message))
        [end] = [i for i, f in enumerate(own) if _answers(f, request)]
        return Exchange(request, own[:end], own[end].message, own[end + 1 :])

    def updates(self, kind: str | None = None) -> list[Json]:
        """Return every update, of one kind if one is given."""
        return _updates(self.frames, kind)

    def received(self) -> Iterator[Json]:
        """Give every message of the agent."""
        return (frame.message for frame in self.frames if not frame.sent)


def is_request(message: Json) -> bool:
    """Tell whether a message wants an answer."""
    return "method" in message and "id" in message


def _answers(frame: Frame, request: Json) -> bool:
    message = frame.message
    return not frame.sent and "method" not in message and message.get("id") == request["id"]


def _updates(frames: list[Frame], kind: str | None = None) -> list[Json]:
    found = [frame.update for frame in frames if frame.update is not None]
    return [update for update in found if kind in (None, update["sessionUpdate"])]
