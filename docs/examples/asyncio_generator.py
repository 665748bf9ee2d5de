"""Answer prompts with an asyncio generator: python asyncio_generator.py http://127.0.0.1:4097."""

import asyncio
import sys
from collections.abc import AsyncIterator

import weir


async def answer(turn: weir.Turn) -> AsyncIterator[str]:
    """Yield the answer; when somebody stops the turn, the task is cancelled."""
    for word in turn.prompt.split():
        yield word + " "
        await asyncio.sleep(0.01)


weir.serve(answer, sys.argv[1])
