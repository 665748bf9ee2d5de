"""The event stream of an agent, one for all its sessions, read in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from acp_client.api.stream import FOR_EYES, EventStream, StreamRefused
from acp_client.protocol import decode, wire
from acp_client.protocol.decode import UnreadableAnswer
from acp_client.protocol.wire import Event
from bus.events.catalogue import SERVER_CONNECTED
from bus.origin import Origin

log = logging.getLogger("weir.acp")

_REFUSED_PAUSE_S = 30.0


class Listener(Protocol):
    """Receives the events. All its methods are called in the thread of the feed."""

    def on_connected(self, resumed: bool | None) -> None:
        """Handle a new connection.

        Args:
            resumed: no event was missed; None from a server that does not say.
        """

    def on_event(self, event: Event) -> None:
        """Handle an event."""

    def on_lost(self, words: str, attempts: int) -> None:
        """Handle the loss of the connection; `attempts`: how many attempts have failed since."""


class EventFeed:
    """Follows `/global/event`.

    This is the stream of all folders. The stream of one folder would lack the events that have
    another name of the folder, for example by a symbolic link.

    Args:
        server: the address of the server.
        stream: makes the stream; tests pass their own.
    """

    def __init__(self, server: Origin, stream: Callable[..., EventStream] = EventStream) -> None:
        self._server = server
        self._stream = stream
        self._hurry = threading.Event()
        self._connected = threading.Event()
        self._attempts = 0
        self.words = "not connected yet"
        """The reason why there is no connection."""

    def start(self, listener: Listener) -> None:
        """Begin to read."""
        run = threading.Thread(target=self._run, args=(listener,), name="feed", daemon=True)
        run.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for a connection, after trying at once; return whether there is one."""
        if not self._connected.is_set():
            self._hurry.set()
        return self._connected.wait(timeout_s)

    def _run(self, listener: Listener) -> None:
        while True:
            try:
                self._follow(listener)
            except StreamRefused as refused:
                self._lost(listener, str(refused))
                self._pause(_REFUSED_PAUSE_S)

    def _follow(self, listener: Listener) -> None:
        def lost(words: str) -> None:
            self._lost(listener, words)

        # Editors lay out the whole text again for each delta.
        stream = self._stream(self._server, query=FOR_EYES, notice=lost, pause=self._pause)
        for frame in stream:
            try:
                self._take(decode.event_of(frame.data), listener)
            except UnreadableAnswer as error:
                log.warning("an event could not be read: %s", error)
            except Exception:
                # An error in the handling of one event must not end the stream.
                log.exception("an event could not be handled: %r", frame.data[:200])

    def _take(self, event: Event, listener: Listener) -> None:
        if event.type == SERVER_CONNECTED:
            resumed = decode.properties_of(event, wire.Connected).resumed
            log.debug("connected to the event stream, resumed: %s", resumed)
            self._attempts = 0
            listener.on_connected(resumed)
            self._connected.set()
        else:
            listener.on_event(event)

    def _lost(self, listener: Listener, words: str) -> None:
        self.words = words
        self._connected.clear()
        self._attempts += 1
        log.warning("no event stream: %s", words)
        listener.on_lost(words, self._attempts)

    def _pause(self, wait_s: float) -> None:
        self._hurry.wait(wait_s)
        self._hurry.clear()
