"""The unmodified Python SDK of ACP plays a plan with an agent: ``python -m tests.acp.client``.

It reads and prints what `client.mjs` does.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import acp
from acp.schema import (
    AcceptElicitationResponse,
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    RequestPermissionResponse,
)

LINE_BYTES = 1 << 26
"""Of the longest message: the SDK's own bound, 64 KiB, is below a diff of a larger file."""


def show(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


def record(event: Any) -> None:
    show({"sent": event.direction.value == "outgoing", "message": event.message})


class Client:
    """An editor with no files and no terminals to offer."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.handled = {"updates": 0, "permissions": 0}
        self.session = ""
        self.agent: Any = None
        self.watch: Callable[[int], Any] | None = None

    def on_connect(self, agent: Any) -> None:
        self.agent = agent

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.handled["updates"] += 1
        if update.session_update == "agent_message_chunk" and self.watch and self.watch(update):
            self.watch = None
            await self.agent.cancel(session_id=session_id)

    async def request_permission(
        self, session_id: str, tool_call: Any, options: list[Any], **_: Any
    ) -> RequestPermissionResponse:
        self.handled["permissions"] += 1
        if self.plan["permission"] == "wait":
            await self.agent.cancel(session_id=session_id)
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        option = next(one for one in options if one.kind == self.plan["permission"])
        chosen = AllowedOutcome(outcome="selected", option_id=option.option_id)
        return RequestPermissionResponse(outcome=chosen)

    async def create_elicitation(self, message: str, mode: Any, **_: Any) -> Any:
        """Give the first answer that each field of a form offers."""
        fields = mode.requested_schema.properties
        content = {name: field.one_of[0].const for name, field in fields.items()}
        return AcceptElicitationResponse(action="accept", content=content)

    async def play(self, step: dict[str, Any]) -> None:
        """Play one step."""
        where = {"cwd": self.plan["directory"], "mcp_servers": []}
        match step["do"]:
            case "new":
                self.session = (await self.agent.new_session(**where)).session_id
            case "prompt":
                await self._prompt(step)
            case "load":
                self.session = step["session"]
                await self.agent.load_session(session_id=self.session, **where)
            case "resume":
                self.session = step["session"]
                await self.agent.resume_session(session_id=self.session, **where)
            case "list":
                await self.agent.list_sessions(cwd=self.plan["directory"])
            case "close":
                await self.agent.close_session(session_id=self.session)
            case "option":
                await self.agent.set_config_option(
                    config_id=step["option"], session_id=self.session, value=step["value"]
                )

    async def _prompt(self, step: dict[str, Any]) -> None:
        self.watch = _after(step["cancel_after"]) if step.get("cancel_after") else None
        said = [acp.text_block(step["text"])]
        await self.agent.prompt(session_id=self.session, prompt=said)


def _after(characters: int) -> Callable[[Any], bool]:
    """Return what tells, chunk by chunk, whether so many characters have come."""
    told = 0

    def enough(update: Any) -> bool:
        nonlocal told
        told += len(update.content.text)
        return told >= characters

    return enough


async def main() -> None:
    """Play the plan on standard input."""
    plan = json.load(sys.stdin)
    client = Client(plan)
    spawned = acp.spawn_agent_process(
        client,
        *plan["command"],
        env=plan["env"],
        cwd=plan["directory"],
        transport_kwargs={"limit": LINE_BYTES, "stderr": None},
        observers=[record],
        use_unstable_protocol=True,
    )
    async with spawned as (agent, _process):
        await agent.initialize(
            protocol_version=acp.PROTOCOL_VERSION,
            client_capabilities=ClientCapabilities.model_validate(plan["capabilities"]),
        )
        for number, step in enumerate(plan["steps"]):
            show({"step": number})
            # An answer that is an error is on the wire, for the test to judge.
            with contextlib.suppress(acp.RequestError):
                await client.play(step)
    show({"handled": client.handled})


if __name__ == "__main__":
    asyncio.run(main())
