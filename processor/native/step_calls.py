"""The tool calls of one step of a turn (one answer of the model, and the calls in this answer).

A call is published as soon as the model names the tool. When the model has finished its answer,
the calls run at the same time. A wrong call (an unknown tool, bad arguments) is published too, as
a part with an error: the model reads the error in the next step, and the turn goes on.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from gevent.event import Event
from gevent.pool import Pool
from msgspec import Struct

from bus import json
from bus.agent_lines import ToolLine
from bus.answers import CommandFailed
from bus.events.message import Failure
from processor.engines.engine import CallBegun, CallWhole, Finish, ModelError
from processor.native.permissions import CallRules
from processor.native.tool_run import STOPPED, Toolbox, ToolRun
from processor.native.turn import Turn
from processor.tools.oversize import fitting_input
from processor.tools.tool import CallRefused, Outcome, Tool, ToolFailed, TurnAborted

log = logging.getLogger("weir.processor")

MOST_AT_ONCE = 8
"""How many calls of one step may run at the same time; the others wait."""
NAMELESS = "invalid"
"""The tool's name in the part of a call that names no tool; opencode uses the same name."""
_MOST_NAME = 128
_SHOWN = 200
# Every provider accepts call ids of this form. weir replaces a call id of another form.
_USABLE_ID = re.compile(r"[A-Za-z0-9_-]{9,64}")


class _StepCall(Struct):
    name: str
    tool: str
    arguments: str = ""


class StepCalls:
    """Collects the tool calls of one step while the model answers, and then runs them.

    Args:
        turn: saves and publishes the calls, each as a part.
        box: the tools that the model may call.
        rules: decide which calls are allowed.

    Attributes:
        are_whole: the model has finished its answer and has called tools; `run` may be called.
    """

    def __init__(self, turn: Turn, box: Toolbox, rules: CallRules) -> None:
        self._turn = turn
        self._box = box
        self._rules = rules
        self._calls: dict[int, _StepCall] = {}
        self._aborted = Event()
        self._stopped = Event()
        self.are_whole = False

    @property
    def are_there(self) -> bool:
        """Whether the model has called at least one tool in this step."""
        return bool(self._calls)

    def take(self, chunk: CallBegun | CallWhole | Finish) -> None:
        """Process a chunk of the model's answer: a new call, a call's arguments, or the end.

        Raises:
            ModelError: the turn has more calls, or the calls take more memory, than allowed.
        """
        if isinstance(chunk, CallBegun):
            tool = chunk.tool[:_MOST_NAME] or NAMELESS
            call = self._calls[chunk.number] = _StepCall(self._name(chunk.id), tool)
            self._change(call, tool=tool, status="pending")
        elif isinstance(chunk, CallWhole):
            self._calls[chunk.number].arguments = chunk.arguments
        else:
            if chunk.reason == "tool-calls" and not self._calls:
                # The finish reason announces calls, but the model has sent none. Publish a call
                # without a name, whose error tells the model what was wrong.
                self.take(CallBegun(0, "", ""))
            self.are_whole = bool(self._calls)

    def run(self) -> bool:
        """Run the calls and wait for all of them; return whether the turn goes on.

        The turn stops if a person has refused a call without a reason. If the calling greenlet is
        killed, the tools that still run are stopped.
        """
        pool = Pool(MOST_AT_ONCE)
        try:
            for call in self._calls.values():
                pool.spawn(self._run, call)
            pool.join()
        finally:
            self._aborted.set()
            pool.kill(block=False)
        return not self._stopped.is_set()

    def _name(self, given: str) -> str:
        if _USABLE_ID.fullmatch(given) and not self._turn.calls.knows(given):
            return given
        return self._turn.record.ids.ascending("call")

    def _run(self, call: _StepCall) -> None:
        rules = self._rules.of(call.tool)
        run = ToolRun(call.name, self._turn, rules, self._box, self._aborted, self._stopped)
        try:
            if self._stopped.is_set():  # a person refused another call while this call waited
                raise CallRefused(STOPPED)
            tool, arguments = self._tool(call), _arguments(call)
            shown, run.pointer = fitting_input(arguments, self._turn.record.outputs, run.session)
            self._change(call, status="running", input=shown, metadata=run.pointer)
            self._turn.calls.show()
            outcome = run.run(tool, arguments, len(json.encode(shown)))
        except (ToolFailed, CallRefused, ModelError) as error:
            self._fail(call, run, str(error))
        except TurnAborted:
            self._fail(call, run, "the turn was aborted")
        except Exception:
            log.exception("session %s: the tool %r failed", run.session, call.tool)
            self._fail(call, run, "the tool failed; the log of the processor says why")
        else:
            self._end(call, run, outcome)

    def _tool(self, call: _StepCall) -> Tool:
        tool = self._box.tools.get(call.tool)
        offered = [name for name in self._box.tools if not self._rules.switch_off(name)]
        if tool is not None and call.tool in offered:
            return tool
        names = ", ".join(offered) or "none"
        if tool is not None:
            raise CallRefused(f"the tool {call.tool!r} is switched off; there are: {names}")
        if call.tool == NAMELESS:
            raise ToolFailed(f"the call names no tool; there are: {names}")
        raise ToolFailed(f"there is no tool {call.tool!r}; there are: {names}")

    def _end(self, call: _StepCall, run: ToolRun, outcome: Outcome) -> None:
        outcome.metadata = run.shown | outcome.metadata
        try:
            self._turn.calls.complete(call.name, outcome)
        except ModelError as error:
            self._fail(call, run, str(error))

    def _fail(self, call: _StepCall, run: ToolRun, why: str) -> None:
        if not self._aborted.is_set():  # an aborted turn ends its open calls itself
            self._change(call, status="error", error=why, metadata=run.shown)

    def _change(self, call: _StepCall, **fields: Any) -> None:
        try:
            self._turn.calls.change(ToolLine(turn="-", call=call.name, **fields))
        except CommandFailed as error:
            raise ModelError(Failure("UnknownError", {"message": str(error)})) from error


def _arguments(call: _StepCall) -> dict[str, Any]:
    """Return the decoded arguments of a call; empty arguments count as an empty object.

    Raises:
        ToolFailed: the arguments are not a JSON object.
    """
    text = call.arguments.strip()
    try:
        found = json.decode(text.encode(errors="replace")) if text else {}
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise ToolFailed(f"the arguments are not JSON ({error}): {shown}") from None
    if not isinstance(found, dict):
        raise ToolFailed(f"the arguments are {type(found).__name__}; allowed is a JSON object")
    return found
