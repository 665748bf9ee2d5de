"""A model that says what a test wants, tools that do what a test wants, and a turn of both."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec

from bus.bodies import CreateBody, PermissionBody, PromptBody, TextInput
from bus.commands import Asks, PermissionReply
from bus.events.message import Failure
from bus.events.part import CacheTokens, TokenCounts
from processor.engines.engine import (
    CallBegun,
    CallWhole,
    Chunk,
    EngineRequest,
    Finish,
    ModelError,
    Offer,
    Text,
    TokenUsage,
)
from processor.tools.tool import Call, Need, Outcome, Tool
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import DIRECTORY, Rig

DONE: list[Chunk] = [Text("done"), Finish("stop")]
TOKENS = TokenCounts(input=2, output=1, reasoning=0, cache=CacheTokens())


def calls(*named: tuple[str, str], reason: str = "tool-calls") -> list[Chunk]:
    """Return an answer that calls tools, each with its arguments."""
    begun: list[Chunk] = [CallBegun(number, "", tool) for number, (tool, _) in enumerate(named)]
    whole: list[Chunk] = [CallWhole(number, text) for number, (_, text) in enumerate(named)]
    return [*begun, *whole, TokenUsage(TOKENS), Finish(reason)]


class Scripted:
    """A model that gives one answer after the other, and the last answer again and again."""

    offer = Offer("demo", "Demo", "demo", "")
    fails_at = 0

    def __init__(self, *answers: list[Chunk]) -> None:
        self.asked: list[EngineRequest] = []
        self._answers = list(answers)

    def stream(self, request: EngineRequest) -> Iterator[list[Chunk]]:
        self.asked.append(request)
        if len(self.asked) == self.fails_at:
            raise ModelError(Failure("APIError", {"message": "no"}))
        yield self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def tool(name: str, run: Callable[[dict[str, Any], Call], str] | None = None) -> Tool:
    """Return a tool that returns what `run` does, or that repeats its arguments."""

    def carry_out(arguments: Any, call: Call) -> Outcome:
        output = str(arguments) if run is None else run(arguments, call)
        return Outcome(output, f"a title of {name}", {"made": "by a test"})

    return Tool(name, f"what {name} does", {"type": "object"}, carry_out)


class Turned:
    """A turn that runs."""

    def __init__(
        self,
        rig: Rig,
        engine: Scripted,
        directory: str = DIRECTORY,
        permission: Any = None,
        **body: Any,
    ) -> None:
        rig.engine = engine
        self.rig = rig
        new = CreateBody(title="t", permission=permission)
        self.session = rig.sessions.create(directory, new).id
        self.prompt = rig.prompts.accept(self.session, self.body("go", **body))

    @staticmethod
    def body(text: str, **fields: Any) -> PromptBody:
        """Return what a client sends."""
        return PromptBody(parts=[TextInput(text=text)], **fields)

    def end(self) -> list[dict[str, Any]]:
        """Wait for the end; return the messages of the answer."""
        assert self.rig.turns.wait(self.session, self.prompt, DEADLINE_S)
        found = msgspec.json.decode(msgspec.json.encode(self.rig.messages(self.session)))
        return found[1:]

    def tools(self) -> list[dict[str, Any]]:
        """Wait for the end; return the parts of all tool calls."""
        parts = [part for message in self.end() for part in message["parts"]]
        return [part for part in parts if part["type"] == "tool"]

    def until_asked(self, kind: Any = "permission", count: int = 1) -> list[Any]:
        """Wait until a person is asked, and return what."""
        with gevent.Timeout(DEADLINE_S):
            while len(found := self.rig.asks.waiting(Asks(kind))) < count:
                gevent.sleep(0.002)
        return list(found)

    def reply(self, request: str, reply: Any, message: str | None = None) -> None:
        self.rig.asks.reply(PermissionReply(request, PermissionBody(reply=reply, message=message)))

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.rig.events]


def needs(permission: str = "bash", pattern: str = "ls", always: str = "ls *") -> Tool:
    """Return a tool that needs leave, and then says that it has run."""

    def run(arguments: dict[str, Any], call: Call) -> str:
        call.need(Need(permission, [arguments.get("what", pattern)], [always], {"a": 1}))
        return "it ran"

    return tool(permission, run)
