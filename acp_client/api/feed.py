"""The event stream of the server, read in a thread of its own; one stream for all sessions."""

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
    """Receives the events of the stream. All methods are called in the thread that reads it."""

    def on_connected(self, resumed: bool | None) -> None:
        """Handle that the stream is connected, for the first time or again.

        Args:
            resumed: True if no event was missed, False if events may have been missed; None if
                the server does not say (opencode).
        """

    def on_event(self, event: Event) -> None:
        """Handle one event of the stream."""

    def on_lost(self, words: str, attempts: int) -> None:
        """Handle that the connection is lost, or that an attempt to connect again has failed.

        Args:
            words: the cause, as text for the user.
            attempts: 1 for the loss itself, and one more for each failed attempt.
        """


class EventFeed:
    """Reads `/global/event` and passes each event to a `Listener`.

    `/global/event` has the events of all folders. The stream of one folder is not enough: it lacks
    events for which the server uses another path of the same folder, such as a symbolic link.

    Args:
        server: the address of the server, and the login to send.
        stream: the class that connects and reads; tests pass another.
    """

    def __init__(self, server: Origin, stream: Callable[..., EventStream] = EventStream) -> None:
        self._server = server
        self._stream = stream
        self._hurry = threading.Event()
        self._connected = threading.Event()
        self._attempts = 0
        self.words = "not connected yet"
        """Why the stream is not connected now, as text for the user."""

    def start(self, listener: Listener) -> None:
        """Start the thread that reads the stream."""
        run = threading.Thread(target=self._run, args=(listener,), name="feed", daemon=True)
        run.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Try to connect at once, wait until the stream is connected, and return whether it is."""
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

        # Editors lay out the whole text again for each delta. So weir is asked for fewer and
        # longer deltas.
        stream = self._stream(self._server, query=FOR_EYES, notice=lost, pause=self._pause)
        for frame in stream:
            try:
                self._take(decode.event_of(frame.data), listener)
            except UnreadableAnswer as error:
                log.warning("an event is ignored, because it cannot be read: %s", error)
            except Exception:
                # One event that cannot be handled must not end the stream for all sessions.
                log.exception(
                    "an event is ignored, because handling it has failed: %r", frame.data[:200]
                )

    def _take(self, event: Event, listener: Listener) -> None:
        if event.type == SERVER_CONNECTED:
            resumed = decode.properties_of(event, wire.Connected).resumed
            log.debug(
                "the event stream of %s is connected; resumed without a gap: %s",
                self._server,
                resumed,
            )
            self._attempts = 0
            listener.on_connected(resumed)
            self._connected.set()
        else:
            listener.on_event(event)

    def _lost(self, listener: Listener, words: str) -> None:
        self.words = words
        self._connected.clear()
        self._attempts += 1
        log.warning("the event stream of %s is not connected: %s", self._server, words)
        listener.on_lost(words, self._attempts)

    def _pause(self, wait_s: float) -> None:
        self._hurry.wait(wait_s)
        self._hurry.clear()
