"""From a command to the body of its answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from bus import clone, replay
from bus.commands import (
    Abort,
    Command,
    CommandFailed,
    Describe,
    MessageGet,
    MessageList,
    Prompt,
    Readiness,
    Replay,
    SessionCreate,
    SessionDelete,
    SessionGet,
    SessionList,
    SessionPatch,
    SnapshotGet,
    Statuses,
    TurnWait,
)
from bus.publisher import Publisher
from processor.commands import cursor
from processor.commands.describe import Descriptions
from processor.commands.prompts import Prompts
from processor.commands.sessions import ABORT_S, SessionCommands
from processor.record import Services
from processor.store import messages, sessions
from processor.store.messages import DuplicateId, UnknownMessage
from processor.store.sessions import UnknownSession
from processor.turns import Turns

MAX_WAIT_MS = 60_000
MAX_LIMIT = 1_000_000
_encode = msgspec.json.Encoder().encode


class Dispatch:
    """Carries out commands; called by `bus.responder.Responder` for each, in its own greenlet."""

    def __init__(
        self,
        publisher: Publisher,
        services: Services,
        turns: Turns,
        session_commands: SessionCommands,
        prompts: Prompts,
        descriptions: Descriptions,
    ) -> None:
        self._publisher = publisher
        self._services = services
        self._database = services.database
        self._turns = turns
        self._sessions = session_commands
        self._prompts = prompts
        self._descriptions = descriptions
        self._plain: dict[type, Callable[[Any], Any]] = {
            SessionCreate: lambda c: self._sessions.create(c.directory, c.body),
            SessionList: self._session_list,
            SessionGet: lambda c: self._database.call(sessions.get, c.session),
            SessionPatch: lambda c: self._sessions.patch(c.session, c.body),
            SessionDelete: self._session_delete,
            MessageGet: self._message_get,
            Prompt: lambda c: {"messageID": self._prompts.accept(c.session, c.body)},
            TurnWait: self._turn_wait,
            Abort: self._abort,
            Statuses: lambda c: self._services.statuses.of(c.directory),
            Describe: lambda c: self._descriptions.of(c.what, c.directory),
            Readiness: self._readiness,
        }

    def __call__(self, command: Command) -> tuple[bytes, str | None]:
        """Return the body of the answer, and a cursor where there is one.

        Raises:
            CommandFailed: it could not be carried out; the message says why.
        """
        try:
            if isinstance(command, Replay):
                return replay.answer(self._publisher, command), None
            if isinstance(command, SnapshotGet):
                return clone.answer(self._publisher), None
            if isinstance(command, MessageList):
                return self._message_list(command)
            return _encode(self._plain[type(command)](command)), None
        except (UnknownSession, UnknownMessage) as error:
            raise CommandFailed("not_found", str(error)) from error
        except DuplicateId as error:
            raise CommandFailed("conflict", str(error)) from error
        except cursor.BadCursor as error:
            raise CommandFailed("invalid", str(error)) from error
        except sqlite3.Error as error:
            raise CommandFailed("internal", f"the store failed: {error}") from error

    def _readiness(self, _: Readiness) -> dict[str, Any]:
        """Say what keeps turns from being saved; a store that has failed is tried again."""
        trouble = self._database.trouble
        self._database.try_again()
        return {"ready": trouble is None, "reasons": [] if trouble is None else [trouble]}

    def _session_list(self, c: SessionList) -> list[msgspec.Raw]:
        found = self._database.call(
            sessions.listing, c.directory, c.roots, c.start, c.search, _limit(c.limit)
        )
        return [msgspec.Raw(json) for json in found]

    def _session_delete(self, c: SessionDelete) -> bool:
        self._sessions.delete(c.session)
        return True

    def _message_list(self, c: MessageList) -> tuple[bytes, str | None]:
        if c.before is not None and c.limit is None:
            raise CommandFailed("invalid", "before: needs limit")
        before = None if c.before is None else cursor.decode(c.before)
        limit = None if c.limit is None else _limit(c.limit)
        self._services.drafts.flush()
        found, older = self._database.call(messages.page, c.session, limit, before)
        return _encode(found), None if older is None else cursor.encode(*older)

    def _message_get(self, c: MessageGet) -> messages.WithParts:
        self._services.drafts.flush()
        return self._database.call(messages.get, c.session, c.message)

    def _turn_wait(self, c: TurnWait) -> messages.WithParts | None:
        if not self._turns.wait(c.session, c.message, min(c.wait_ms, MAX_WAIT_MS) / 1000):
            return None
        return self._database.call(messages.answer_to, c.session, c.message)

    def _abort(self, c: Abort) -> bool:
        self._database.call(sessions.get, c.session)
        self._turns.abort([c.session], ABORT_S)
        return True


def _limit(value: int) -> int:
    if not 1 <= value <= MAX_LIMIT:
        raise CommandFailed("invalid", f"limit: {value} is not within 1 and {MAX_LIMIT}")
    return value
