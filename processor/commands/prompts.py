"""Accepts prompts: saves and publishes the prompt's message, and queues the turn that answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from bus.agent_lines import BUILT_IN
from bus.answers import CommandFailed
from bus.bodies import FileInput, ModelInput, PartInput, PromptBody, TextInput
from bus.events.message import MessageTime, ModelRef, UserMessage
from bus.events.part import FilePart, Part, Span, TextPart
from bus.events.session import Session, SessionModel
from processor.agents.agents import Agents
from processor.clock import not_before, now_ms
from processor.commands.attachments import admitted
from processor.commands.edits import publish_gone
from processor.commands.support import check_model, check_prompt
from processor.engines.engine import Offer
from processor.native.record import Record, Services
from processor.native.turns import Turns
from processor.store import edits, messages, sessions
from processor.store.database import Connection
from processor.store.removals import Gone
from processor.store.sessions import UnknownSession

TITLE_LENGTH = 50
Beside = Callable[[Connection], None]
_DEFAULT_TITLE = re.compile(r"(New|Child) session - \d{4}-\d\d-\d\dT[\d:.]+Z")


class Prompts:
    """Accepts prompts for the model of `offer`, or for the user's own agents.

    Attributes:
        is_tool: returns whether a prompt can switch a tool of this name on and off.
    """

    def __init__(self, services: Services, turns: Turns, offer: Offer, agents: Agents) -> None:
        self._agents = agents
        self._services = services
        self._turns = turns
        self._ids = services.ids
        self._offer = offer
        self.is_tool: Callable[[str], bool] = lambda _: False

    def accept(
        self,
        session_id: str,
        body: PromptBody,
        beside: Beside | None = None,
        within: bool = False,
    ) -> str:
        """Save and publish a prompt, and queue its turn; return the id of the prompt's message.

        Args:
            session_id: id of the session.
            body: the body of the request.
            beside: one more write for the transaction that saves the prompt; None: nothing.
            within: a running turn waits for the answer to this prompt (see `Turns.queue`).

        Raises:
            UnknownSession: the session does not exist, or is being removed.
            DuplicateId: an id in `body` exists already.
            CommandFailed: `body` has a value that is not supported, a file cannot be used, the
                quota is reached, or too many prompts wait.
        """
        check_prompt(body, self._offer, self._agents.names, self.is_tool)
        self._services.database.check_quota()
        if body.noReply:
            message, _ = self._take(session_id, body, beside)
            return message.id
        with self._turns.place(session_id):
            message, session = self._take(session_id, body, beside)
            self._services.statuses.accept(session)
            self._turns.queue(session.id, message.id, within)
        return message.id

    def check_model(self, model: ModelInput) -> None:
        """Check that this processor offers a model.

        Raises:
            CommandFailed: the model is unknown.
        """
        check_model(model.providerID, model.modelID, self._offer)

    def _take(
        self, session_id: str, body: PromptBody, beside: Beside | None
    ) -> tuple[UserMessage, Session]:
        """Save and publish a prompt; return its message and its session."""
        database = self._services.database
        session = database.call(sessions.get, session_id)
        given = admitted(body.parts, session.directory, self._services.folders)
        message = self._message(session, body)
        parts = [self._part(part, message) for part in given]
        gone = database.call(_add, message, parts, beside)
        touched = database.call(
            sessions.update, session_id, lambda found: _touch(found, message, parts)
        )
        if self._turns.is_closed(session_id):
            raise UnknownSession(session_id)
        publish_gone(gone, touched, self._services)
        record = Record(touched, self._services)
        record.publish_message(message)
        for part in parts:
            record.publish_part(part)
        record.publish_session(touched)
        return message, touched

    def _message(self, session: Session, body: PromptBody) -> UserMessage:
        return UserMessage(
            id=self._id(body.messageID, "msg", "messageID"),
            sessionID=session.id,
            time=MessageTime(now_ms()),
            agent=self._agent(session, body),
            model=self._model(session, body),
            format=_unset(body.format),
            system=_unset(body.system),
            tools=_unset(body.tools),
        )

    def _id(self, given: str | None, prefix: str, field: str) -> str:
        """Return the given id or a new id; all ids that are made later sort after this id."""
        if given is None:
            return self._ids.ascending(prefix)
        if not given.startswith(prefix):
            message = f"{field}: {given!r} does not begin with {prefix!r}"
            raise CommandFailed("invalid", message, field=field)
        self._ids.follow(given)
        return given

    def _agent(self, session: Session, body: PromptBody) -> str:
        """Return the prompt's agent; the default is the session's last agent."""
        if body.agent:
            return body.agent
        remembered = session.agent or BUILT_IN
        return remembered if self._agents.answers(remembered) else BUILT_IN

    def _model(self, session: Session, body: PromptBody) -> ModelRef:
        variant = body.variant or UNSET
        if body.model is not None:
            return ModelRef(body.model.providerID, body.model.modelID, variant)
        if session.model and session.model.providerID == self._offer.provider:
            return ModelRef(session.model.providerID, session.model.id, variant)
        # Not the session's model: weir may have been started with another provider since then.
        return ModelRef(self._offer.provider, self._offer.model, variant)

    def _part(self, given: PartInput, message: UserMessage) -> Part:
        identity = {
            "id": self._id(given.id, "prt", "parts.id"),
            "sessionID": message.sessionID,
            "messageID": message.id,
        }
        return _PARTS[type(given)](given, identity)


def _add(
    db: Connection, message: UserMessage, parts: list[Part], beside: Beside | None
) -> list[Gone]:
    """Save a prompt, and remove the messages that a revert hides; return what was removed."""
    gone = edits.remove_hidden(db, message.sessionID, message.time.created)
    messages.add_prompt(db, message, parts)
    if beside is not None:
        beside(db)
    return gone


def _text(given: TextInput, identity: dict[str, str]) -> TextPart:
    return TextPart(
        **identity,
        text=given.text,
        synthetic=_unset(given.synthetic),
        ignored=_unset(given.ignored),
        time=UNSET if given.time is None else _span(given.time),
        metadata=_unset(given.metadata),
    )


def _span(time: dict[str, int]) -> Span:
    if "start" not in time:
        raise CommandFailed("invalid", "parts.time: start is missing")
    return Span(time["start"], time.get("end", UNSET))


def _file(given: FileInput, identity: dict[str, str]) -> FilePart:
    return FilePart(
        **identity,
        mime=given.mime,
        url=given.url,
        filename=_unset(given.filename),
        source=_unset(given.source),
    )


_PARTS: dict[type, Callable[[Any, dict[str, str]], Part]] = {
    TextInput: _text,
    FileInput: _file,
}


def _unset(value: Any) -> Any | UnsetType:
    return UNSET if value is None else value


def _touch(session: Session, message: UserMessage, parts: list[Part]) -> None:
    session.agent = message.agent
    session.model = SessionModel(
        message.model.modelID, message.model.providerID, message.model.variant or "default"
    )
    if _DEFAULT_TITLE.fullmatch(session.title):
        session.title = _title(parts) or session.title
    session.time.updated = not_before(session.time.updated)


def _title(parts: list[Part]) -> str:
    """Return the first line of the user's text, cut to `TITLE_LENGTH` characters."""
    texts = (part.text for part in parts if isinstance(part, TextPart) and not part.synthetic)
    lines = (line.strip() for text in texts for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
