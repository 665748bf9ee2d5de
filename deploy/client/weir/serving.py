"""Answers prompts with a function of the user's: plain, a generator, or ``async``."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

from bus.agent_lines import BUILT_IN
from weir.client import DEFAULT_URL, Client
from weir.errors import Aborted, WeirError
from weir.turn import Turn

log = logging.getLogger("weir")

Answer = Callable[[Turn], object]


def serve(
    answer: Answer,
    url: str = DEFAULT_URL,
    *,
    name: str = BUILT_IN,
    deadline_s: float | None = None,
    patient: bool = True,
) -> None:
    """Answer the prompts of an agent until the process is stopped, each in a thread of its own.

    Args:
        answer: called with the turn of each prompt. It may return text, or be a generator of
            texts. It may be ``async``, and then runs in an event loop of its own. If the turn is
            stopped, the generator is closed, the task is cancelled, or the next method of the turn
            raises `Aborted`.
        url: of weir.
        name: of the agent: ``build`` answers all prompts that name no other agent.
        deadline_s: after this many seconds a turn ends with an error.
        patient: wait for weir without a limit.

    Raises:
        Fenced: another process has connected with the same name.
        WeirError: weir refuses, or has gone for good.
    """
    with serving(answer, url, name=name, deadline_s=deadline_s, patient=patient) as client:
        client.wait()


def serving(
    answer: Answer,
    url: str = DEFAULT_URL,
    *,
    name: str = BUILT_IN,
    deadline_s: float | None = None,
    patient: bool = False,
) -> Client:
    """Answer prompts in the background, until the returned client is closed."""

    def prompted(turn: Turn) -> None:
        run = threading.Thread(
            target=_run, args=(answer, turn, deadline_s), name=f"weir {turn.name}", daemon=True
        )
        run.start()

    return Client(url, name, prompted, patient)


def _run(answer: Answer, turn: Turn, deadline_s: float | None) -> None:
    try:
        with turn:
            if deadline_s is not None:
                turn.deadline(deadline_s)
            _say(answer(turn), turn)
    except Aborted as error:
        log.info("turn %s was stopped: %s", turn.name, error)
    except WeirError as error:
        log.error("turn %s: %s", turn.name, error)
    except Exception:
        log.exception("turn %s failed", turn.name)


def _say(answer: Any, turn: Turn) -> None:
    if isinstance(answer, AsyncIterable):
        asyncio.run(_cancelled_with(_say_all(answer, turn), turn))
    elif inspect.isawaitable(answer):
        asyncio.run(_cancelled_with(_say_later(answer, turn), turn))
    elif isinstance(answer, str):
        turn.text(answer)
    elif isinstance(answer, Iterable):
        with contextlib.ExitStack() as stack:
            if callable(close := getattr(answer, "close", None)):
                stack.callback(close)
            for text in answer:
                turn.text(text)


async def _say_all(answer: AsyncIterable[str], turn: Turn) -> None:
    async for text in answer:
        turn.text(text)


async def _say_later(answer: Awaitable[Any], turn: Turn) -> None:
    said = await answer
    if isinstance(said, str):
        turn.text(said)


async def _cancelled_with(work: Awaitable[None], turn: Turn) -> None:
    """Run the work as a task that is cancelled when the turn is stopped.

    Raises:
        Aborted: the turn was stopped.
    """
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()

    def cancel() -> None:
        with contextlib.suppress(RuntimeError):  # the loop and the task have ended
            loop.call_soon_threadsafe(task.cancel)

    turn.on_abort(cancel)
    try:
        await task
    except asyncio.CancelledError:
        if turn.aborted.is_set():
            raise Aborted("the turn was stopped") from None
        raise
