"""Child sessions: in a child session, another agent answers a prompt of the tool ``task``."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from bus.answers import CommandFailed
from bus.bodies import CreateBody, ModelInput, PromptBody, TextInput
from bus.events.message import AssistantMessage, Failure
from bus.events.part import TextPart
from bus.events.session import Session
from processor.commands.prompts import Prompts
from processor.commands.sessions import SessionCommands
from processor.native.modes import GENERAL, Modes
from processor.native.permissions import CallRules, Rules
from processor.native.record import Services
from processor.native.turns import Turns
from processor.store import messages, sessions
from processor.store.failures import StoreFailed
from processor.store.messages import UnknownMessage
from processor.store.sessions import UnknownSession
from processor.tools.tool import ChildAnswer, ToolFailed

_LOOK_S = 3600.0


class Children:
    """Makes child sessions for the tool ``task``, and runs prompts in them."""

    def __init__(
        self,
        services: Services,
        turns: Turns,
        session_commands: SessionCommands,
        prompts: Prompts,
        modes: Modes,
    ) -> None:
        self._database = services.database
        self._ids = services.ids
        self._turns = turns
        self._sessions = session_commands
        self._prompts = prompts
        self._modes = modes
        self._limits: dict[str, tuple[Rules, ...]] = {}

    def limits(self, prompt: str) -> tuple[Rules, ...]:
        """Return the permission rules of each turn that waits for the answer to a prompt.

        Whatever these rules deny is also denied to the turn that answers the prompt.
        """
        return self._limits.get(prompt, ())

    def run(
        self,
        parent: Session,
        rules: CallRules,
        prompt: str,
        agent: str | None,
        title: str,
        session: str | None,
        begun: Callable[[str], None],
    ) -> ChildAnswer:
        """Run a prompt in a child session, wait, and return the answer.

        Whatever `rules` deny is also denied to the child. If the calling greenlet is killed while
        it waits, the child's turn is aborted. `ChildSessions.run` explains the arguments.

        Raises:
            ToolFailed: the child failed, or `agent` or `session` does not exist.
        """
        agent = self._checked(agent or GENERAL)
        message = self._ids.ascending("msg")
        body = PromptBody(parts=[TextInput(text=prompt)], agent=agent, messageID=message)
        if parent.model is not UNSET:
            body.model = ModelInput(parent.model.providerID, parent.model.id)
        self._limits[message] = (rules.own, *rules.limits)
        try:
            child = self._child(parent, title, agent, session)
            begun(child)
            self._prompts.accept(child, body, within=True)
            self._wait(child, message)
            return self._answer(child, message)
        except (CommandFailed, StoreFailed, UnknownSession, UnknownMessage) as error:
            raise ToolFailed(f"the child session failed: {error}") from error
        finally:
            del self._limits[message]

    def _checked(self, agent: str) -> str:
        allowed = [mode.name for mode in self._modes.values() if mode.kind == "subagent"]
        if agent not in allowed:
            raise ToolFailed(f"there is no subagent {agent!r}; there are: {', '.join(allowed)}")
        return agent

    def _child(self, parent: Session, title: str, agent: str, session: str | None) -> str:
        if session is None:
            body = CreateBody(parentID=parent.id, title=title, agent=agent)
            body.permission = None if parent.permission is UNSET else parent.permission
            return self._sessions.create(parent.directory, body).id
        found = self._database.call(sessions.get, session)
        if found.parentID != parent.id:
            raise ToolFailed(f"{session!r} is not a child of this session")
        return session

    def _wait(self, child: str, message: str) -> None:
        over = False
        try:
            while not over:
                over = self._turns.wait(child, message, _LOOK_S)
        finally:
            if not over:
                self._turns.abort([child], 0)

    def _answer(self, child: str, message: str) -> ChildAnswer:
        last = self._database.call(messages.answer_to, child, message)
        info, parts = messages.decoded(self._database.call(messages.get, child, last))
        if isinstance(info, AssistantMessage) and isinstance(info.error, Failure):
            words = info.error.data.get("message", info.error.name)
            raise ToolFailed(f"the child session failed: {words}")
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        return ChildAnswer(child, texts[-1] if texts else "")
