"""Builds a processor from its settings, runs it, and stops it."""

from __future__ import annotations

import contextlib
import gc
import logging
from functools import partial

import gevent

from bus.process.allocator import give_back_large_blocks
from bus.process.folder import claimed, make_private
from bus.process.heart import Heart, Notifier
from bus.process.stack import show_stack_at_abort
from bus.process.stopping import run_until, stop_event
from bus.transport.publisher import Publisher
from bus.transport.responder import Responder
from processor.bus_ends import HOLDER, TendedSender, bus_ends, claim_bus
from processor.mode import Mode, Work
from processor.pulse import BEAT_S, Pulse
from processor.settings import ProcessorSettings

log = logging.getLogger("weir.processor")


def run(settings: ProcessorSettings) -> None:
    """Run until SIGTERM or SIGINT; then end all work, and return.

    Raises:
        CannotStart: the state or the bus cannot be used; the message gives the reason.
    """
    show_stack_at_abort()
    give_back_large_blocks()
    stop = stop_event()
    with contextlib.ExitStack() as stack:
        mode = _mode(settings, stack)
        ends = stack.enter_context(bus_ends(settings, mode.source))
        loop = gevent.get_hub().loop
        publisher = Publisher(ends.events, mode.source, defer=loop.run_callback)
        stack.callback(publisher.close)
        work = mode.begin(publisher, stack)
        heart = Heart(Notifier(settings.notify_socket), BEAT_S)
        pulse = Pulse(publisher, partial(_each_beat, work, ends.events), heart)
        responder = Responder(ends.commands, work.dispatch)
        gc.freeze()  # the collector skips all loaded objects
        log.info("processor ready source=%s epoch=%s", publisher.source, publisher.epoch)
        run_until(stop, [pulse.run, responder.run, *ends.loops(publisher), *work.loops])
    log.info("processor stopped")


def _mode(settings: ProcessorSettings, stack: contextlib.ExitStack) -> Mode:
    """Make one of the two modes, and import only its code: imports are most of a start's cost."""
    if settings.upstream is not None:
        from processor.upstream.upstream import Upstream

        if settings.state is not None:
            make_private(settings.state, "--state")
        claim_bus(settings.bus, stack)
        return Upstream(settings.upstream, settings.state)
    from processor.native.native import Native
    from processor.tools.descendants import adopt_orphans

    adopt_orphans()  # see processor.tools.process
    assert settings.state is not None, "from_flags has checked it"
    stack.enter_context(claimed(settings.state, "--state", HOLDER))
    claim_bus(settings.bus, stack)
    return Native(settings, stack)


def _each_beat(work: Work, events: TendedSender) -> None:
    work.each_beat()
    events.tend()
