"""Answers people's prompts by calling a function: a plain function, a generator, or ``async``."""

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
    """Answer the prompts to one agent until the process is stopped.

    Each prompt is answered in a new thread, so several prompts are answered at once.

    Args:
        answer: the function that is called with the turn of each prompt. It returns the text of
            the answer, or yields texts, or returns None after it has called the turn's methods.
            It may be ``async``: then each call runs in a new event loop. If a person stops the
            turn, a generator is closed, an ``async`` function is cancelled, and in a plain
            function the next call of one of the turn's methods raises `Aborted`.
        url: the URL of weir, with or without ``USER:PASSWORD@``.
        name: the name of the agent; the agent ``build`` answers all prompts that name no agent.
        deadline_s: after this many seconds, weir ends a turn with an error; None: no deadline.
        patient: try to reach weir without a time limit; False: give up after 60 seconds.

    Raises:
        Fenced: another process has connected with the same name.
        WeirError: weir refuses the connection, or has not saved output for 60 seconds.
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
    """Answer prompts like `serve`, in background threads, until the returned client is closed."""

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
        log.info("turn %s in session %s was stopped: %s", turn.name, turn.session.id, error)
    except WeirError as error:
        log.error("turn %s in session %s has failed: %s", turn.name, turn.session.id, error)
    except Exception:
        log.exception(
            "turn %s in session %s has failed, because the function that answers prompts raised "
            "an exception",
            turn.name,
            turn.session.id,
        )


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
    """Run `work` as a task of this event loop, and cancel the task when the turn is stopped.

    Raises:
        Aborted: the turn was stopped.
    """
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()

    def cancel() -> None:
        # If the loop is closed already, the task has ended, and there is nothing to cancel.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)

    turn.on_abort(cancel)
    try:
        await task
    except asyncio.CancelledError:
        if turn.aborted.is_set():
            raise Aborted("the turn was stopped") from None
        raise
