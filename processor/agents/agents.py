"""All of the user's own agents: the prompts that each answers, the lines of NDJSON that it sends
(text, tool calls, the end of a turn), and the prompts, aborts and replies that weir sends to it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import gevent

from bus.agent_commands import AgentLines, AgentWork
from bus.agent_lines import (
    BUILT_IN,
    NAME_PATTERN,
    BeginLine,
    EndLine,
    FailLine,
    Handed,
    Line,
    LineError,
    PromptWork,
    RefusedLine,
    Taken,
)
from bus.answers import CommandFailed
from bus.bodies import PromptBody, TextInput
from bus.events.message import UserMessage
from bus.events.part import FilePart, TextPart
from bus.events.session import Session
from bus.process.fairness import TURN_SLICE_S, TimeSlice
from processor.agents.agent import Agent
from processor.agents.lines import carry_out
from processor.agents.served import Served
from processor.clock import now_ms
from processor.engines.engine import ModelError
from processor.native.asks import PendingAsks
from processor.native.record import Services
from processor.native.turn import Turn
from processor.native.turns import Turns
from processor.store import agents, messages, open_turns
from processor.store.database import Connection
from processor.store.failures import StoreFailed
from processor.store.messages import DuplicateId
from processor.store.open_turns import OpenTurn
from processor.store.sessions import UnknownSession
from processor.store.transaction import commit

MOST_WAIT_S = 20.0
_MOST_TEXT = 64 * 1024
"""A longer prompt is not part of the work item; the agent gets it over REST."""
_BEGINS_WITHIN_S = 5.0
_EPOCH_LIMIT = 2**53
_RETRY_AFTER_S = 1

Accept = Callable[[str, PromptBody, Callable[[Connection], None]], str]


class Agents:
    """All agents of a processor.

    Args:
        services: of the processor.
        asks: the asks that wait for a person.
        always: an agent whose prompts wait for it even while it is not connected.
        turns: of the processor.
        turn_of: makes the turn of a prompt.
        built_in: the agents that weir itself has; the first answers prompts that name no agent.

    Attributes:
        accept: accepts a prompt; the last argument runs in the transaction that saves the prompt.
    """

    accept: Accept

    def __init__(
        self,
        services: Services,
        asks: PendingAsks,
        always: str | None,
        turns: Turns,
        turn_of: Callable[[Session, UserMessage], Turn],
        built_in: Sequence[str] = (BUILT_IN,),
    ) -> None:
        self._services = services
        self._database = services.database
        self._turns = turns
        self._turn_of = turn_of
        self._asks = asks
        self._always = always
        self._built_in = built_in
        saved = self._database.call(agents.all_of_them)
        self._agents = {name: Agent(name, *place) for name, place in saved.items()}
        if always is not None:
            self._agents.setdefault(always, Agent(always))

    @property
    def names(self) -> list[str]:
        """The agents that a prompt may name; the first answers prompts that name no agent."""
        return list(dict.fromkeys([*self._built_in, *self._agents]))

    def resume(self, left: Iterable[OpenTurn], return_s: float) -> None:
        """After a restart, queue the unfinished turns, which continue when their agents connect.

        Args:
            left: the turns that the last processor left unfinished, in the order of their prompts.
            return_s: how many seconds to wait for an agent; then its turns end with an error.
        """
        for one in left:
            agent = self._agents.setdefault(one.agent, Agent(one.agent, one.epoch))
            agent.inherit(one, return_s)
            self._turns.queue(one.session, one.prompt)

    def takes_prompts(self, name: str) -> bool:
        """Return whether prompts for this agent go to a process, connected or still awaited."""
        agent = self._agents.get(name)
        return agent is not None and (name == self._always or agent.takes_prompts)

    def answers(self, name: str) -> bool:
        """Return whether prompts that name this agent are answered now."""
        return name in self._built_in or self.takes_prompts(name)

    def serves(self, prompt: UserMessage) -> bool:
        """Return whether a process outside of weir answers a prompt."""
        agent = self._agents.get(prompt.agent)
        if agent is None:
            return False
        own = prompt.id in agent.begun or prompt.id in agent.stale
        return own or prompt.agent not in self._built_in or self.takes_prompts(prompt.agent)

    def known(self) -> list[dict[str, Any]]:
        """Return name, connection and turns of each agent."""
        return [
            {
                "name": one.name,
                "connected": one.is_connected,
                "prompts": self.takes_prompts(one.name),
                "epoch": one.epoch,
                "seq": one.saved,
                "turns": len(one.turns),
            }
            for one in self._agents.values()
        ]

    def figures(self) -> dict[str, int]:
        """Return how many agents are connected, and how many turns of agents are open."""
        every = self._agents.values()
        return {
            "connected": sum(one.is_connected for one in every),
            "turns": sum(len(one.running) for one in every),
        }

    def tick(self) -> None:
        """End the turns of agents that are gone; called by the work loop, must not block."""
        now = time.monotonic()
        for agent in self._agents.values():
            agent.tick(now)
            for prompt, (_, session) in list(agent.begun.items()):
                if self._turns.wait(session, prompt, 0):
                    agent.never_began(prompt)
                    self._database.submit(open_turns.end, prompt)
            for prompt, session in list(agent.stale.items()):
                if self._turns.wait(session, prompt, 0):
                    del agent.stale[prompt]
                    self._database.submit(open_turns.end, prompt)

    def serve(self, session: Session, prompt: UserMessage) -> Served:
        """Send a prompt to its agent; return the answer, which is running. Does not block."""
        agent = self._agents[prompt.agent]
        left = agent.left.pop(prompt.id, None)
        name, _ = agent.begun.get(prompt.id, (left.name if left else prompt.id, ""))
        is_own = name != prompt.id
        is_begun = is_own or bool(left and (left.parts or left.asks))
        turn = self._turn_of(session, prompt)
        served = Served(name, turn, prompt.id, self._asks, agent.hand, agent.over, is_begun)
        if left is None or left.answer is None:
            served.begin(agent.name, agent.epoch if is_own else 0)
        else:
            served.resume(left)
        agent.start(served, prompt.id)
        if not is_own:
            gevent.spawn(self._hand, agent, served, session, prompt)
        return served

    def _hand(self, agent: Agent, served: Served, session: Session, prompt: UserMessage) -> None:
        try:
            stored = self._database.call(messages.get, session.id, prompt.id)
        except (StoreFailed, messages.UnknownMessage) as error:
            served.fail(f"the prompt could not be read: {error}")
            return
        _, parts = messages.decoded(stored)
        text = "".join(part.text for part in parts if isinstance(part, TextPart))
        work = PromptWork(
            turn=served.name,
            session=session.id,
            directory=session.directory,
            text=text if len(text) <= _MOST_TEXT else None,
            files=sum(isinstance(part, FilePart) for part in parts),
            system=prompt.system or "",
        )
        if served.why_ended is None:
            agent.hand(work)

    def work(self, c: AgentWork) -> Handed:
        """Return the work items of an agent; if there are none, wait for a while.

        Raises:
            CommandFailed: a newer epoch exists, or the epoch is not allowed.
        """
        agent = self._entered(c.agent, c.epoch, anew=True)
        epoch = agent.epoch
        agent.renew(c.lease_s + min(c.wait_ms / 1000, MOST_WAIT_S))
        agent.asks_for_prompts = c.prompts
        # The request for later work shows that the earlier items have arrived.
        agent.claim(c.after)
        work = agent.work(c.after, min(c.wait_ms / 1000, MOST_WAIT_S))
        agent.check(epoch)
        agent.renew(c.lease_s)
        return Handed(agent.epoch, agent.saved, agent.running, work)

    def lines(self, c: AgentLines) -> Taken:
        """Apply lines of an agent; return once they are saved.

        A line that cannot be applied gets an error, and the next line follows. Lines of a turn
        that waits for its session are left for a later call: `Taken.seq` is the last applied line.

        Raises:
            CommandFailed: a newer epoch exists, lines are missing, or the store does not keep up.
        """
        agent = self._entered(c.agent, c.epoch, anew=False)
        agent.renew(c.lease_s)
        epoch = agent.epoch
        if not c.lines:
            return Taken(epoch, agent.saved + 1, agent.saved, [])
        with agent.lock:
            agent.check(epoch)
            first = agent.seq + 1 if c.seq is None else c.seq
            agent.forget_errors(first)
            hold = TimeSlice(TURN_SLICE_S)
            _check_order(first, agent.seq + 1)
            for line in c.lines[agent.seq + 1 - first :]:
                if not self._may_go_on(agent, line):
                    break
                if isinstance(line, BeginLine | EndLine | FailLine):
                    # The line has saved its effects itself, so its number is saved now.
                    self._save(agent, epoch)
                agent.check(epoch)  # another process may have taken over during either wait
                agent.seq += 1
                self._carry_out(agent, line, hold)
                if agent.epoch != epoch:
                    break
            self._save(agent, epoch)
            agent.check(epoch)
            agent.renew(c.lease_s)
            last = min(agent.seq, first + len(c.lines) - 1)
            return Taken(epoch, first, last, agent.errors_of(first, last))

    def _entered(self, name: str, epoch: int | None, anew: bool) -> Agent:
        if not re.match(NAME_PATTERN, name):
            allowed = "1 to 64 of the characters A-Z a-z 0-9 . _ -"
            raise CommandFailed(
                "invalid", f"agent: {name!r} is not allowed as a name; allowed are {allowed}"
            )
        if epoch is not None and not 0 < epoch < _EPOCH_LIMIT:
            raise CommandFailed(
                "invalid", f"epoch: {epoch} is not allowed; allowed is 1 to {_EPOCH_LIMIT - 1}"
            )
        agent = self._agents.get(name) or Agent(name)
        if epoch is None:
            if agent.epoch and (agent.is_connected or agent.is_awaited) and not anew:
                return agent
            epoch = max(agent.epoch + 1, now_ms())
        agent.check(epoch)
        if epoch > agent.epoch:
            self._enter(agent, epoch)
        return agent

    def _enter(self, agent: Agent, epoch: int) -> None:
        if agent.name not in self._agents and len(self._agents) >= agents.MOST_AGENTS:
            self._make_room()
        agent.enter(epoch)
        self._agents[agent.name] = agent
        # Saved at once: after a restart without this epoch, an older process could connect again.
        self._database.call(agents.note, agent.name, epoch, 0)

    def _make_room(self) -> None:
        idle = (one for one in self._agents.values() if not (one.is_connected or one.running))
        oldest = min(idle, key=lambda one: one.epoch, default=None)
        if oldest is None:
            raise CommandFailed(
                "full", f"agent: {agents.MOST_AGENTS} agents are connected already"
            )
        del self._agents[oldest.name]
        self._database.call(agents.forget, oldest.name)

    def _may_go_on(self, agent: Agent, line: Line | RefusedLine) -> bool:
        """Return whether the turn of a line has begun; wait for this if its session is busy."""
        if isinstance(line, RefusedLine | BeginLine):
            return True
        until = time.monotonic() + _BEGINS_WITHIN_S
        while agent.waits(line.turn):
            left = until - time.monotonic()
            if left <= 0:
                return False
            agent.wait_for_start(left)
        return True

    def _carry_out(self, agent: Agent, line: Line | RefusedLine, hold: TimeSlice) -> None:
        if isinstance(line, RefusedLine):
            return
        seq = agent.seq
        try:
            if isinstance(line, BeginLine):
                self._begin(agent, line)
                return
            served = agent.turns.get(line.turn)
            if served is None:
                words = f"turn: {line.turn!r} {agent.why_not(line.turn)}"
                agent.note_error(LineError(seq, words, line.turn, over=True))
                return
            served.is_begun = served.is_claimed = True
            if isinstance(line, EndLine | FailLine):
                served.record.submit("line", agents.note, agent.name, agent.epoch, seq)
            for _ in carry_out(line, served):
                hold.pass_on_if_over()
        except (CommandFailed, ModelError, UnknownSession, DuplicateId) as error:
            agent.note_error(LineError(seq, str(error), line.turn, isinstance(line, BeginLine)))
        except StoreFailed as error:
            # The agent must not send this line again, since the prompt might be shown twice.
            agent.note_error(LineError(seq, f"the store failed: {error}", line.turn, over=True))

    def _begin(self, agent: Agent, line: BeginLine) -> None:
        if line.turn in agent.turns or agent.waits(line.turn):
            raise CommandFailed(
                "invalid", f"turn: {line.turn!r} runs already; choose another name"
            )
        prompt = self._services.ids.ascending("msg")
        body = PromptBody(parts=[TextInput(text=line.prompt)], agent=agent.name, messageID=prompt)
        epoch, seq = agent.epoch, agent.seq

        def note(db: Connection) -> None:
            agents.note(db, agent.name, epoch, seq)
            open_turns.put(db, prompt, agent.name, epoch, line.turn)

        self.accept(line.session, body, note)
        if agent.epoch == epoch:
            agent.begun[prompt] = line.turn, line.session
        else:
            agent.stale[prompt] = line.session

    def _save(self, agent: Agent, epoch: int) -> None:
        """Save the effects of lines and the number of the last line, and wait for the store."""
        if agent.saved == agent.seq or agent.epoch != epoch:
            return
        seq, records = agent.seq, []
        for served in agent.turns.values():
            served.turn.calls.show()
            served.record.drafts.flush()
            records.append(served.record)
        gathered = [one.transaction for one in records if one.transaction is not None]
        try:
            commit(
                self._database,
                gathered,
                partial(agents.note, name=agent.name, epoch=epoch, seq=seq),
            )
        except StoreFailed as error:
            raise CommandFailed(
                "unavailable", f"the store failed: {error}", retry_after_s=_RETRY_AFTER_S
            ) from error
        for record in records:
            record.wait_until_published()
        if agent.epoch == epoch:
            agent.saved = seq


def _check_order(first: int, expected: int) -> None:
    """Check the number of the first of several lines.

    Raises:
        CommandFailed: lines before it are missing.
    """
    if not 0 < first <= expected:
        raise CommandFailed(
            "conflict",
            f"seq: {first} is not allowed; line {expected} comes next, and lines that were sent "
            "before may be repeated",
        )
