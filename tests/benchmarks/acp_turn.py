"""One turn of an agent under a storm: what it asks for, when its text is there, what it costs."""

import time

from msgspec import Struct

from tests.acp.counting import HISTORY, MESSAGE
from tests.acp.editor import Editor, editor
from tests.benchmarks import process_tree
from tests.benchmarks.acp_target import AcpTarget, acp_target

WARM_UP = "the first turn of a session asks for more"
TURN_S = 600.0
SILENCE_S = 10.0
"""Without a word after the answer: nothing is to come."""


class Parts(Struct):
    """What is asked of the model in one turn."""

    texts: int
    deltas: int
    size: int

    @property
    def prompt(self) -> str:
        """The script of it."""
        return f"parts {self.texts} {self.deltas // self.texts} {self.size}"

    @property
    def characters(self) -> int:
        """How many a reader must have in the end."""
        return self.deltas // self.texts * self.texts * self.size


class Asked(Struct):
    """What the agent asked its server for in the turn."""

    requests: int
    messages: int
    histories: int


class Turn(Struct):
    """A turn; times in seconds from the prompt, CPU in seconds.

    ``late`` is how many chunks came after the answer; ``missing`` how many characters never did.
    """

    launch_ms: float
    answer_s: float
    last_s: float
    chunks: int
    late: int
    missing: int
    agent_cpu_s: float
    all_cpu_s: float


def asked(name: str, parts: Parts) -> Asked:
    """Return what an agent asks for, counted by a proxy."""
    with acp_target(name, counted=True) as target, editor(target.agent) as one:
        assert target.proxy is not None
        one.introduce()
        session = _warm(one, target)
        before = len(target.proxy.requests)
        _storm(one, session, parts)
        counts = target.proxy.count(target.agent.api.url, before)
    return Asked(counts.total(), counts[MESSAGE], counts[HISTORY])


def turn(name: str, parts: Parts) -> Turn:
    """Measure an agent with nothing between it and its server."""
    with acp_target(name, counted=False) as target:
        begin = time.monotonic()
        with editor(target.agent) as one:
            one.introduce()
            launch_s = time.monotonic() - begin
            session = _warm(one, target)
            groups = [one.pid], [one.pid, *target.servers]
            before = [process_tree.cpu_s(pids) for pids in groups]
            begin = time.monotonic()
            first, answer = _storm(one, session, parts)
            cpu = [process_tree.cpu_s(pids) for pids in groups]
            heard = one.heard
            chunks = [(place, h) for place, h in enumerate(heard[first:], first) if h.chunk]
    agent_cpu_s, all_cpu_s = (now - then for now, then in zip(cpu, before, strict=True))
    return Turn(
        launch_ms=launch_s * 1000,
        answer_s=heard[answer].at - begin,
        last_s=chunks[-1][1].at - begin,
        chunks=len(chunks),
        late=sum(place > answer for place, _ in chunks),
        missing=parts.characters - sum(len(h.chunk or "") for _, h in chunks),
        agent_cpu_s=agent_cpu_s,
        all_cpu_s=all_cpu_s,
    )


def _warm(one: Editor, target: AcpTarget) -> str:
    session = one.begin(target.agent)
    _whole(one, session, WARM_UP, len(WARM_UP))
    return session


def _storm(one: Editor, session: str, parts: Parts) -> tuple[int, int]:
    return _whole(one, session, parts.prompt, parts.characters)


def _whole(one: Editor, session: str, prompt: str, characters: int) -> tuple[int, int]:
    """Have a turn, and wait for all of its text; return where it begins and is answered."""
    first = len(one.heard)
    answer = one.prompt(session, prompt, TURN_S)
    told, place = 0, first
    while told < characters:
        try:
            place = one.wait(lambda heard: heard.chunk is not None, place, SILENCE_S) + 1
        except TimeoutError:
            break  # the rest is missing, and told as such
        told += len(one.heard[place - 1].chunk or "")
    return first, answer
