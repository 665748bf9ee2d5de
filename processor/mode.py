"""The interface of the two ways to run a processor: with turns of its own, or as a relay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from msgspec import Struct

from bus.transport.publisher import Publisher
from bus.transport.responder import Handler


class Work(Struct, frozen=True):
    """The work of a running processor.

    Attributes:
        dispatch: executes commands.
        each_beat: called by the work loop (`pulse`), ten times a second.
        loops: functions that run for ever, each in a greenlet of its own.
    """

    dispatch: Handler
    each_beat: Callable[[], None]
    loops: Sequence[Callable[[], None]] = ()


class Mode(Protocol):
    """A way to run a processor: natively, or as a relay of an upstream."""

    @property
    def source(self) -> str:
        """Id of the processor on the bus, the same after every start."""

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Return the work to do; what ends the work is put on `stack`."""
