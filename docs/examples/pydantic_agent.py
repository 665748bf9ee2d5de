"""Answer prompts with an agent of pydantic-ai (pip install pydantic-ai-slim).

python pydantic_agent.py http://127.0.0.1:4097 MODEL; the model `test` needs no network
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from pydantic_ai import Agent, RunContext

import weir

agent = Agent(sys.argv[2], deps_type=weir.Turn)


@agent.tool
async def remove(context: RunContext[weir.Turn], path: str) -> str:
    """Remove a file, if a person allows it."""
    turn = context.deps
    with turn.tool("remove", path=path) as call:
        allowed = await asyncio.to_thread(turn.ask, "remove", path, call=call)
        call.output("removed" if allowed != "reject" else "kept")
    return allowed


async def answer(turn: weir.Turn) -> AsyncIterator[str]:
    """Yield what the agent says; its tools are shown, and ask, by the turn."""
    async with agent.run_stream(turn.prompt, deps=turn) as result:
        async for text in result.stream_text(delta=True):
            yield text


weir.serve(answer, sys.argv[1])
