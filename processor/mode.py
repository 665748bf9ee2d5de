"""Where the events of a processor come from: turns of its own, or an upstream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from msgspec import Struct

from bus.transport.publisher import Publisher
from bus.transport.responder import Handler


class Work(Struct, frozen=True):
    """What is done while the processor runs.

    Attributes:
        dispatch: carries out commands.
        each_beat: called by the work loop (`pulse`), ten times a second.
        loops: run for ever beside it.
    """

    dispatch: Handler
    each_beat: Callable[[], None]
    loops: Sequence[Callable[[], None]] = ()


class Mode(Protocol):
    """One of the two, once it has what it needs; it begins when there is somewhere to publish."""

    @property
    def source(self) -> str:
        """Id of the processor on the bus, the same after every start."""

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Return the work to do; how to end it goes on `stack`."""
