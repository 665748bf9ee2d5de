"""Runs the loops of a service until a signal stops it, or until one of the loops fails."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event


def stop_event() -> Event:
    """Return an event that SIGTERM and SIGINT set, from now on."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    return stop


def run_until(stop: Event, loops: Sequence[Callable[[], None]]) -> None:
    """Run all loops until `stop` is set, or until one of them fails; its exception is raised."""
    greenlets = [gevent.spawn(loop) for loop in loops]
    for greenlet in greenlets:
        greenlet.link_exception(lambda _: stop.set())
    try:
        stop.wait()
    finally:
        gevent.killall(greenlets)
    for greenlet in greenlets:
        if greenlet.exception is not None:
            raise greenlet.exception
