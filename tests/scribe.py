"""Plans of sessions, and the scribe who writes them out as opencode's events.

A plan says what happens; everything else a real server would add (ids that ascend in the order of
creation, times, snapshots that follow from the deltas before) the scribe adds without choices of
its own. So equal plans give equal events, and a plan is small enough to be drawn and shrunk.
"""

from collections.abc import Iterator
from itertools import chain, count, zip_longest
from typing import Any, NamedTuple

Event = dict[str, Any]
Said = tuple[str, Event]
"""Type and properties: an event that has no id yet."""

REMARKS: tuple[Said, ...] = (
    ("file.edited", {"file": "/srv/demo/a.txt"}),
    ("vcs.branch.updated", {}),
    ("tomorrow.came", {"sessionID": None, "part": [1, None, {"text": "\u2028"}]}),
    ("session.error", {"error": {"name": "UnknownError", "data": {"message": "nowhere"}}}),
)
"""Events of no session."""

OWN_REMARKS: tuple[Said, ...] = (
    ("session.compacted", {}),
    ("command.executed", {"name": "init", "arguments": "", "messageID": "msg_elsewhere"}),
    ("session.next.text.delta", {"delta": "not ours"}),
)
"""Events that get the session's id: types to be passed through unchanged."""


class Text(NamedTuple):
    """A text or reasoning part: stretches of deltas, each closed by a snapshot."""

    kind: str
    early: bool
    stretches: list[tuple[list[tuple[str, str]], str]]
    end: str


class Tool(NamedTuple):
    """A tool call: pending, running, perhaps a question to the user, snapshots of its output."""

    snapshots: int
    ask: str
    end: str


class Remark(NamedTuple):
    """One event between the others: what about, and which or how many of its kind."""

    about: str
    which: int


class Both(NamedTuple):
    """Two of text, tool and remark at once, their events taking turns."""

    first: Any
    second: Any


class Turn(NamedTuple):
    """A prompt, the blocks of its answer, and how it ends.

    A block is a text, a tool, a remark, both, or one of "next step" (the answer goes on in another
    message), "part removed" (the last one closed) and "message removed" (the oldest).
    """

    prompt: str
    blocks: list[Any]
    end: str


class Session(NamedTuple):
    """One session, from its creation on."""

    turns: list[Turn]
    deleted: bool


class Scribe:
    """Writes one session of a plan, in the order and the words of a real server."""

    def __init__(self, number: int) -> None:
        self.id = f"ses_{number}"
        self._number = number
        self._numbers = count(1)
        self._messages: list[Event] = []
        """Those not removed, oldest first; the last is the one being written."""
        self._open: list[Event] = []
        self._closed: list[Event] = []

    def session(self, plan: Session) -> Iterator[Said]:
        """Yield the session's events in order of publication."""
        yield self._session_event("created")
        yield from chain.from_iterable(self._turn(turn) for turn in plan.turns)
        if plan.deleted:
            yield self._session_event("deleted")

    def _turn(self, plan: Turn) -> Iterator[Said]:
        self._open.clear()  # What a broken turn left open stays open for ever.
        user = self._new_message("user")
        yield self._message(user)
        yield self._snapshot(self._new_part("text", text=plan.prompt))
        yield self._session_event("updated")
        yield self._status("busy")
        yield from self._step_start()
        for block in plan.blocks:
            yield from self._block(block)
        if plan.end == "normal":
            yield from self._normal_end(user)
        elif plan.end != "cut":
            yield from self._broken_end(plan.end)

    def _normal_end(self, user: Event) -> Iterator[Said]:
        yield from self._step_finish("stop")
        yield from self._idle()
        yield self._session_event("updated")
        yield self._about("session.diff", diff=[{"file": "a", "additions": self._tick()}])
        if user in self._messages:
            yield self._message(user | {"summary": {"diffs": []}})

    def _broken_end(self, end: str) -> Iterator[Said]:
        name = "APIError" if end == "failed" else "MessageAbortedError"
        error = {"name": name, "data": {"message": end}}
        if end == "failed":
            yield self._status("retry", attempt=1, message=end, next=self._tick())
        yield self._about("session.error", error=error)
        yield from self._idle()
        if end != "abandoned":
            yield from self._close_all("error")
        answer = self._messages[-1]
        answer |= {"error": error, "time": answer["time"] | {"completed": self._tick()}}
        yield self._message(answer)
        yield from self._idle()

    def _idle(self) -> Iterator[Said]:
        yield self._status("idle")
        yield self._about("session.idle")

    def _step_start(self) -> Iterator[Said]:
        yield self._message(self._new_message("assistant"))
        yield self._snapshot(self._new_part("step-start"))

    def _step_finish(self, reason: str) -> Iterator[Said]:
        yield from self._close_all("completed")
        yield self._snapshot(self._new_part("step-finish", reason=reason, cost=0))
        answer = self._messages[-1]
        answer |= {"finish": reason}
        yield self._message(answer)
        answer |= {"time": answer["time"] | {"completed": self._tick()}}
        yield self._message(answer)

    def _block(self, plan: Any) -> Iterator[Said]:
        if isinstance(plan, Text):
            yield from self._text(plan)
        elif isinstance(plan, Tool):
            yield from self._tool(plan)
        elif isinstance(plan, Both):
            pairs = zip_longest(self._block(plan.first), self._block(plan.second))
            yield from (said for said in chain.from_iterable(pairs) if said)
        elif isinstance(plan, Remark):
            yield self._remark(plan)
        else:
            yield from self._milestone(plan)

    def _remark(self, plan: Remark) -> Said:
        todo = {"content": "x", "status": "pending", "priority": "low"}
        match plan.about:
            case "todo":
                return self._about("todo.updated", todos=[todo] * plan.which)
            case "diff":
                return self._about("session.diff", diff=[{"file": "a"}] * plan.which)
            case "session":
                return self._session_event("updated")
            case "its own":
                kind, properties = OWN_REMARKS[plan.which]
                return self._about(kind, **properties)
            case _:
                return REMARKS[plan.which]

    def _milestone(self, plan: str) -> Iterator[Said]:
        if plan == "next step":
            yield from self._step_finish("tool-calls")
            yield from self._step_start()
        elif plan == "part removed" and self._closed:
            yield self._part_removed(self._closed.pop())
        elif plan == "message removed" and len(self._messages) > 1:
            yield self._message_removed(self._messages.pop(0)["id"])

    def _text(self, plan: Text) -> Iterator[Said]:
        part = self._new_part(plan.kind, text="", time={"start": self._tick()})
        self._open.append(part)
        said = ""
        if plan.early:
            said = "early "
            yield self._delta(part, "plain", said)
        for index, (deltas, closing) in enumerate(plan.stretches):
            yield self._snapshot(part) if index == 0 else self._snapshot(part | {"text": said})
            for kind, fragment in deltas:
                said += fragment if kind != "field" else ""
                yield self._delta(part, kind, fragment)
            said = self._rewritten(said, closing)
            part["text"] = said
        if plan.end == "closed":
            yield self._close(part, "completed")
        elif plan.end == "removed":
            self._open.remove(part)
            yield self._part_removed(part)

    def _rewritten(self, said: str, closing: str) -> str:
        if closing == "longer":
            return f"{said} (more)"
        return said[: len(said) // 2] if closing == "shorter" else said

    def _tool(self, plan: Tool) -> Iterator[Said]:
        part = self._new_part("tool", tool="bash", callID=f"call_{self._tick()}")
        self._open.append(part)
        part["state"] = {"status": "pending", "input": {}, "raw": ""}
        yield self._snapshot(part)
        running = {"status": "running", "input": {"command": "ls"}, "time": {"start": 1}}
        part["state"] = running
        yield self._snapshot(part)
        yield from self._ask(plan.ask)
        for lines in range(plan.snapshots):
            part["state"] = running | {"metadata": {"output": "line 🌊\n" * lines}}
            yield self._snapshot(part)
        if plan.end != "open":
            yield self._close(part, plan.end)

    def _ask(self, ask: str) -> Iterator[Said]:
        request = f"req_{self._number}{next(self._numbers):06d}"
        if ask in ("once", "reject", "pending"):
            yield self._about("permission.asked", id=request, permission="bash", patterns=["ls"])
        if ask in ("once", "reject"):
            yield self._about("permission.replied", requestID=request, reply=ask)
        if ask in ("answered", "rejected"):
            yield self._about("question.asked", id=request, questions=[])
        if ask == "answered":
            yield self._about("question.replied", requestID=request, answers=[["yes"]])
        if ask == "rejected":
            yield self._about("question.rejected", requestID=request)

    def _close_all(self, status: str) -> Iterator[Said]:
        yield from [self._close(part, status) for part in list(self._open)]

    def _close(self, part: Event, status: str) -> Said:
        self._open.remove(part)
        self._closed.append(part)
        if part["type"] == "tool":
            part["state"] = {"status": status, "input": {}, "output": "done", "time": {"end": 2}}
        else:
            part["time"] = part["time"] | {"end": self._tick()}
        return self._snapshot(part)

    def _new_message(self, role: str) -> Event:
        message: Event = {"id": f"msg_{self._number}{next(self._numbers):06d}", "role": role}
        message |= {"sessionID": self.id, "time": {"created": self._tick()}}
        self._messages.append(message)
        return message

    def _new_part(self, kind: str, **fields: Any) -> Event:
        part = {"id": f"prt_{self._number}{next(self._numbers):06d}", "type": kind}
        return part | {"sessionID": self.id, "messageID": self._messages[-1]["id"]} | fields

    def _session_event(self, verb: str) -> Said:
        info = {"id": self.id, "title": f"at {self._tick()}", "time": {"created": 1}}
        return self._about(f"session.{verb}", info=info)

    def _status(self, kind: str, **fields: Any) -> Said:
        return self._about("session.status", status={"type": kind} | fields)

    def _message(self, info: Event) -> Said:
        return self._about("message.updated", info=dict(info))

    def _message_removed(self, message_id: str) -> Said:
        for parts in (self._open, self._closed):
            parts[:] = [part for part in parts if part["messageID"] != message_id]
        return self._about("message.removed", messageID=message_id)

    def _snapshot(self, part: Event) -> Said:
        return self._about("message.part.updated", part=dict(part), time=self._tick())

    def _part_removed(self, part: Event) -> Said:
        ids = {"messageID": part["messageID"], "partID": part["id"]}
        return self._about("message.part.removed", **ids)

    def _delta(self, part: Event, kind: str, fragment: str) -> Said:
        ids = {"messageID": part["messageID"], "partID": part["id"]}
        field = "note" if kind == "field" else "text"
        extra = {"shade": {"of": ["tomorrow"]}} if kind == "extra" else {}
        return self._about("message.part.delta", **ids, field=field, delta=fragment, **extra)

    def _about(self, kind: str, **properties: Any) -> Said:
        return kind, {"sessionID": self.id, **properties}

    def _tick(self) -> int:
        return 1_795_166_400_000 + next(self._numbers)
