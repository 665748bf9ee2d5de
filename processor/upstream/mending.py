"""Compares REST's answers about one session with what was published, and publishes what lacks.

No I/O: it gets the answers, and calls `FrameIntake.upsert`. The rules are in `healing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, field

from bus.depth import is_folded
from bus.events import Entity
from bus.events.catalogue import (
    DIFF,
    MESSAGE,
    MESSAGE_REMOVED,
    PART,
    REQUEST,
    SESSION,
    STATUS,
    TODOS,
)
from bus.ids import Ids
from bus.json import digest
from processor.upstream.frames import InstanceLocation, UpstreamFrame
from processor.upstream.holding_queue import HoldingQueue
from processor.upstream.intake import FrameIntake
from processor.upstream.memory import RememberedSession
from processor.upstream.subject import Json, grows, text_of, time_of
from processor.upstream.survey import KINDS, UpstreamSurvey
from processor.upstream.upserts import Upserts

_IDLE = {"type": "idle"}


class MendingBatch(Struct):
    """Some messages of a session.

    Attributes:
        messages: with their parts, oldest first.
        complete: whether there are no older messages.
    """

    messages: list[Json] = field(default_factory=list)
    complete: bool = False


class Answers(Struct):
    """REST's answers about a session; None if REST gave no answer.

    Attributes:
        info: the session itself.
        batches: its messages, the newest batch first. Only one batch is in memory at a time.
        todos: its todo list.
        diff: the changes to its files.
        gone: whether the session no longer exists.
    """

    info: Json | None = None
    batches: Iterator[MendingBatch] = field(default_factory=lambda: iter(()))
    todos: list[Json] | None = None
    diff: list[Json] | None = None
    gone: bool = False


class Mending:
    """Publishes what the readers of one session lack.

    Args:
        intake: publishes events, and knows what readers have.
        hold: the waiting live events.
        ids: makes the ids of events.
        session: id of the session.
        place: its location, if the memory or REST gives no other.
        since_ms: when the stream was last complete, by the server's clock; None: there was no cut.
    """

    def __init__(
        self,
        intake: FrameIntake,
        hold: HoldingQueue,
        ids: Ids,
        session: str,
        place: InstanceLocation,
        since_ms: int | None,
    ) -> None:
        self._memory = intake.memory
        self._holes = intake.holes
        self._upsert = intake.upsert
        self._hold = hold
        self._ids = ids
        self._session = session
        self._place = place
        self._since_ms = since_ms
        self._known = self._memory.session(session) or RememberedSession(place, 0.0)
        self._there: set[str] = set()
        self._oldest: int | None = None
        self._failed_calls: list[Any] = []

    def mend(self, answers: Answers, found: UpstreamSurvey) -> None:
        """Publish the events that readers lack: messages before their parts, the status last."""
        self._make = Upserts(self._ids, self._session, self._home(answers.info))
        if answers.gone:
            self._gone()
            return
        if answers.info is not None:
            self._info(answers.info)
        for batch in answers.batches:
            self._batch(batch)
            del batch  # frees its memory before the next batch is fetched
        self._list(TODOS, answers.todos, self._known.todos, self._make.todos)
        self._list(DIFF, answers.diff, self._known.diff, self._make.diff)
        for kind in KINDS:
            if found.knows(kind, self._place):
                self._requests(kind, found.pending[kind])
        if found.knows("status", self._place):
            self._status(found.statuses.get(self._session, _IDLE))

    def _publish(self, frame: UpstreamFrame) -> bool:
        """Publish an event; return False if its value is nested too deep."""
        if is_folded(frame.event.json()):
            return False
        self._upsert(frame)
        return True

    def _home(self, info: Json | None) -> InstanceLocation:
        """Return the location (directory, project, workspace) for the events of the session.

        A session that is not remembered has its location in `info`, the upstream's answer: the
        request for the answer may have named no location.
        """
        if info is None or self._memory.session(self._session) is not None:
            return self._known.place
        directory = info.get("directory", self._place.directory)
        return InstanceLocation.named(directory, info.get("projectID"), info.get("workspaceID"))

    def _gone(self) -> None:
        remembered = self._memory.session(self._session) is not None
        if remembered and not self._waits(SESSION, self._session):
            self._publish(self._make.deleted(self._known.info or {"id": self._session}))

    def _info(self, info: Json) -> None:
        same = self._known.info is not None and digest(self._known.info) == digest(info)
        if not same and not self._waits(SESSION, self._session):
            self._publish(self._make.session(info))

    def _batch(self, batch: MendingBatch) -> None:
        self._note(batch)
        self._removals(batch.complete)
        for message in batch.messages:
            self._message(message["info"], message["parts"])

    def _note(self, batch: MendingBatch) -> None:
        """Note which messages and parts still exist, and which tool calls have failed."""
        for one in batch.messages:
            self._there.add(one["info"]["id"])
            created = _created(one["info"])
            self._oldest = created if self._oldest is None else min(self._oldest, created)
            for part in one["parts"]:
                self._there.add(part["id"])
                if _has_failed(part):
                    self._failed_calls.append(part["callID"])

    def _removals(self, complete: bool) -> None:
        """Publish the removal of known messages and parts that are not in the answers.

        Older messages than the oldest in the answers count as removed only if the answers are
        complete.
        """
        oldest = self._oldest or 0
        for name, known in self._memory.entities(self._session):
            is_message = name == known.message
            if name in self._there or self._waits(MESSAGE if is_message else PART, name):
                continue
            if is_message:
                recent = known.created_ms is not None and known.created_ms > oldest > 0
                if complete or recent:
                    self._publish(self._make.message_removed(name))
            elif known.message in self._there:
                self._publish(self._make.part_removed(known.message, name))

    def _message(self, info: Json, parts: list[Json]) -> None:
        known = self._memory.knows(info["id"])
        if not known and not self._recent(info):
            return
        lacking = [part for part in parts if self._lacks(part, known)]
        waiting = self._hold.first(MESSAGE, info["id"])
        if waiting is None:
            sent = self._memory.has(info["id"], info) or self._publish(self._make.message(info))
            if not sent and not known:
                return
        elif waiting.event.type == MESSAGE_REMOVED:
            return
        elif not known and (lacking or self._hold.overtaken(info["id"])):
            self._publish(waiting)
        for part in lacking:
            self._publish(self._make.part(part))

    def _recent(self, info: Json) -> bool:
        """Return whether readers may lack a message that is not in the memory."""
        completed = time_of(info, "completed")
        if info.get("role") == "assistant" and completed is None:
            return True
        if self._since_ms is None:
            return False
        return max(_created(info), completed or 0) >= self._since_ms

    def _lacks(self, part: Json, message_known: bool) -> bool:
        """Return whether readers lack a part; they have dropped the parts of unknown messages."""
        name = part["id"]
        if self._waits(PART, name):
            return False
        if message_known and self._memory.has(name, part):
            return False
        if not grows(part):
            return True
        length = len(text_of(part))
        if length == 0:
            return False  # readers may have some of the text already
        if self._memory.knows(name) and self._holes.whole(name):
            return False  # readers dropped the part, since it came before its message
        return length >= (self._holes.held(name) or 0)

    def _list(
        self,
        kind: Entity,
        value: list[Json] | None,
        known: int | None,
        upsert: Callable[[list[Json]], UpstreamFrame],
    ) -> None:
        """Publish todos or changed files if they differ from the published list.

        If no list was published, an empty list is not published either.
        """
        if value is None or self._waits(kind, self._session):
            return
        nothing = known is None and not value
        if not nothing and known != digest(value):
            self._publish(upsert(value))

    def _requests(self, kind: str, pending: dict[str, Json]) -> None:
        own = {name: one for name, one in pending.items() if one["sessionID"] == self._session}
        for name, request in own.items():
            if name not in self._known.requests and not self._waits(REQUEST, name):
                self._publish(self._make.asked(kind, request))
        for name, request in list(self._known.requests.items()):
            is_question = "questions" in request
            if is_question != (kind == "question") or name in own or self._waits(REQUEST, name):
                continue
            if is_question:
                self._publish(self._make.question_closed(name, self._failed(request)))
            else:
                self._publish(self._make.permission_closed(name))

    def _failed(self, request: Json) -> bool:
        """Return whether the tool call of a question has failed: then the person has declined."""
        tool = request.get("tool")
        call = tool.get("callID") if isinstance(tool, dict) else None
        return call in self._failed_calls

    def _status(self, status: Json) -> None:
        if self._known.status == status or self._waits(STATUS, self._session):
            return
        worked = self._known.writes if self._known.status is None else not self._known.idle
        self._publish(self._make.status(status))
        if status == _IDLE and worked:
            self._publish(self._make.idle())

    def _waits(self, kind: Entity, entity: str) -> bool:
        return self._hold.first(kind, entity) is not None


def _created(info: Json) -> int:
    return time_of(info, "created") or 0


def _has_failed(part: Json) -> bool:
    state = part.get("state")
    return "callID" in part and isinstance(state, dict) and state.get("status") == "error"
