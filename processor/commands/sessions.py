"""Creates, lists, changes, copies and removes sessions."""

from __future__ import annotations

import datetime
import re
from typing import Any

from msgspec import UNSET

from bus.bodies import CreateBody, ForkBody, PatchBody
from bus.commands import SessionsV2
from bus.events.part import TokenCounts
from bus.events.session import Session, SessionModel, SessionTime
from bus.process.fairness import LOOKUP_SLICE_S, TimeSlice
from processor.agents.agents import Agents
from processor.clock import not_before, now_ms
from processor.commands import cursor, describe_v2
from processor.commands.support import check_new_session, check_permission
from processor.engines.engine import Offer
from processor.native.record import Record, Services
from processor.native.slug import new_slug
from processor.native.turns import Turns
from processor.store import copies, sessions

ABORT_S = 5.0
_FORKED = re.compile(r"(.+) \(fork #(\d{1,9})\)", re.DOTALL)


class SessionCommands:
    """Executes the commands for sessions; each change is saved first, and then published."""

    def __init__(
        self,
        services: Services,
        turns: Turns,
        version: str,
        offer: Offer,
        agents: Agents,
    ) -> None:
        self._agents = agents
        self._services = services
        self._turns = turns
        self._ids = services.ids
        self._version = version
        self._offer = offer

    def create(self, directory: str, body: CreateBody) -> Session:
        """Create a session.

        Raises:
            UnknownSession: the parent does not exist.
            CommandFailed: `body` has a value that is not supported, or the quota is reached.
        """
        check_new_session(body, self._offer, self._agents.names)
        self._services.database.check_quota()
        session = self._new(directory, body)
        self._services.database.call(sessions.insert, session)
        Record(session, self._services).publish_new()
        return session

    def patch(self, session: str, body: PatchBody) -> Session:
        """Change the fields that `body` has.

        Raises:
            UnknownSession: the session does not exist.
            CommandFailed: the permission rules in `body` are invalid, or the quota is reached.
        """
        check_permission(body.permission)
        self._services.database.check_quota()
        changed = self._services.database.call(
            sessions.update, session, lambda found: _apply(found, body)
        )
        Record(changed, self._services).publish_session(changed)
        return changed

    def delete(self, session: str) -> None:
        """Remove a session and all its descendants; their running turns are aborted first.

        Raises:
            UnknownSession: the session does not exist.
        """
        family = self._services.database.call(sessions.family, session)
        with self._turns.closed([member.id for member in family], ABORT_S):
            removed = self._services.database.call(sessions.delete, session, now_ms())
            # Once more: a child may have been created and prompted after `family` was read.
            self._turns.abort([member.id for member in removed], ABORT_S)
        for member in removed:
            Record(member, self._services).publish_removal()
            self._services.outputs.remove(member.id)

    def page(self, c: SessionsV2) -> dict[str, Any]:
        """Return a page of sessions in the form of opencode's v2 API.

        Raises:
            BadCursor: the command's cursor is not a cursor.
        """
        after = None if c.cursor is None else cursor.decode(c.cursor, "cursor")
        found, is_more = self._services.database.call(
            sessions.page, c.directory, c.search, c.ascending, after, c.limit
        )
        where = {}
        if is_more:
            time, last = found[-1]
            where["next"] = cursor.encode(time, last.id)
        turn, data = TimeSlice(LOOKUP_SLICE_S), []
        for _, one in found:
            turn.pass_on_if_over()
            data.append(describe_v2.session(one))
        return {"data": data, "cursor": where}

    def children(self, session: str) -> list[Session]:
        """Return the direct children of a session.

        Raises:
            UnknownSession: the session does not exist.
        """
        self._services.database.call(sessions.check, session)
        return self._services.database.call(sessions.children, session)

    def fork(self, session: str, body: ForkBody) -> Session:
        """Copy a session; the copy is published once all its messages are copied.

        Raises:
            UnknownSession: the session does not exist.
            UnknownMessage: the session has no such message.
            CommandFailed: the quota is reached.
        """
        database, outputs = self._services.database, self._services.outputs
        database.check_quota()
        source = database.call(sessions.get, session)
        copy = self._new(source.directory, CreateBody(title=_forked(source.title)))
        copy.agent, copy.model = source.agent, source.model
        done = database.call(copies.begin, session, copy.id, body.messageID)
        database.call(sessions.insert, copy, hidden=sessions.INCOMPLETE)
        try:
            outputs.share(session, copy.id)
            done.texts = outputs.moved(session, copy.id)
            while not done.is_done:
                database.check_quota()
                done = database.call(copies.go_on, done, self._ids.ascending)
            database.call(sessions.show, copy.id)
        except BaseException:
            database.submit(sessions.discard, copy.id)
            outputs.remove(copy.id)
            raise
        record = Record(copy, self._services)
        record.publish_new()
        for message in done.ids.values():
            record.publish_stored(message)
            record.wait_until_published()
        return copy

    def _new(self, directory: str, body: CreateBody) -> Session:
        now = now_ms()
        session = Session(
            id=self._ids.descending("ses"),
            slug=new_slug(),
            projectID=self._services.folders.project(directory).id,
            directory=directory,
            path="",
            title=body.title or default_title(now, body.parentID is not None),
            version=self._version,
            cost=0,
            tokens=TokenCounts.none(),
            time=SessionTime(now, now),
        )
        session.parentID = body.parentID or UNSET
        session.agent = body.agent or UNSET
        if body.model is not None:
            variant = body.model.variant or UNSET
            session.model = SessionModel(body.model.id, body.model.providerID, variant)
        session.metadata = UNSET if body.metadata is None else body.metadata
        session.permission = UNSET if body.permission is None else body.permission
        return session


def default_title(time_ms: int, child: bool = False) -> str:
    """Return the title for a session that is created without a title at a time (Unix ms)."""
    time = datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)
    stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{'Child' if child else 'New'} session - {stamp}"


def _forked(title: str) -> str:
    """Return the title of a copy: ``… (fork #2)`` for a copy of ``… (fork #1)``."""
    match = _FORKED.fullmatch(title)
    return f"{title} (fork #1)" if match is None else f"{match[1]} (fork #{int(match[2]) + 1})"


def _apply(session: Session, body: PatchBody) -> None:
    if body.title is not None:
        session.title = body.title
    if body.metadata is not None:
        session.metadata = body.metadata
    if body.permission is not None:
        session.permission = body.permission
    if body.time is not None and body.time.archived is not None:
        session.time.archived = body.time.archived
    session.time.updated = not_before(session.time.updated)
