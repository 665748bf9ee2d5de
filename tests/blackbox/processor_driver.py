"""A processor as a real process, and the two sockets a gateway would have to it."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from bus.answers import Answer, CommandFailed, Done
from bus.bodies import CreateBody, PromptBody, TextInput
from bus.commands import (
    Command,
    MessageList,
    More,
    NumberedCommand,
    Prompt,
    Replay,
    SessionCreate,
    TurnWait,
)
from bus.events import Delta
from bus.transport.codec import Batch, decode
from bus.transport.endpoints import Endpoints
from bus.transport.sockets import requester_socket
from tests import processes
from tests.blackbox.ears import Ears, Event
from tests.processes import DEADLINE_S, Running, start

DIRECTORY = "/srv/demo/proj1"
# Garbage may pass for a request, but not for one of these.
_FIRST_REQUEST = 1000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class Processor:
    """A running processor. `kill` and `start` may be called again and again."""

    def __init__(self, folder: Path, bus: str, flags: list[str], env: dict[str, str]) -> None:
        self.state = folder / "state"
        self.bus = bus
        self.endpoints = Endpoints.parse(bus)
        self._command = ["-m", "processor", "--bus", bus, "--state", str(self.state), *flags]
        self._env = env
        self._log = folder / "processor.log"
        self._context = zmq.Context()
        self.ears = Ears(self._context, self.endpoints)
        self._asker = requester_socket(self._context, self.endpoints.commands)
        self._number = _FIRST_REQUEST
        self._running: Running | None = None

    @property
    def log(self) -> str:
        """What it has written so far, in all its lives."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Its process id; it changes with a new start."""
        assert self._running is not None
        return self._running.process.pid

    def start(self) -> None:
        """Start the process; return when it is ready and its events are heard."""
        over = {heartbeat.epoch for heartbeat in self.ears.heartbeats}
        self._running = start(*self._command, log=self._log, env=self._env)
        try:
            self._running.says("processor ready")
            self.ears.until(lambda: {one.epoch for one in self.ears.heartbeats} - over)
        except BaseException:
            self.kill()
            raise

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, and return the exit status."""
        assert self._running is not None
        return self._running.kill(number)

    def close(self) -> None:
        """End it, and leave its sockets."""
        if self._running is not None and self._running.process.poll() is None:
            self.kill()
        self.ears.close()
        self._context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        """Send raw frames to the command socket."""
        self._asker.send_multipart(frames)

    def answer(self) -> Answer:
        """Receive the next answer."""
        assert self._asker.poll(DEADLINE_S * 1000), "no answer"
        return _decode(self._asker.recv())

    def ask(self, command: Command) -> Any:
        """Return the JSON of the answer to a command."""
        answer = self.done(command)
        pieces = [answer.body]
        while answer.more is not None:
            answer = self.done(More(answer.more))
            pieces.append(answer.body)
        return msgspec.json.decode(b"".join(pieces))

    def done(self, command: Command) -> Done:
        """Return the answer to a command, or raise what it was refused with."""
        self._number += 1
        # The socket refuses while the connection is being made.
        assert self._asker.poll(DEADLINE_S * 1000, zmq.POLLOUT), "no processor"
        self.send(_encode(NumberedCommand(self._number, command)))
        while (answer := self.answer()).id != self._number:
            pass
        if isinstance(answer, Done):
            return answer
        raise CommandFailed(answer.kind, answer.message)

    def session(self, **body: Any) -> str:
        """Make a session and return its id."""
        body.setdefault("title", "fixed title")
        return self.ask(SessionCreate(DIRECTORY, CreateBody(**body)))["id"]

    def prompt(self, session: str, text: str, **body: Any) -> str:
        """Send a prompt and return the id of its message."""
        given = PromptBody(parts=[TextInput(text=text)], **body)
        return self.ask(Prompt(session, given))["messageID"]

    def turn(self, session: str, text: str) -> dict[str, Any]:
        """Send a prompt and return the answer when it is whole."""
        return self.wait(session, self.prompt(session, text))

    def wait(self, session: str, message: str) -> dict[str, Any]:
        """Return the answer to a message when it is whole."""
        answer = self.ask(TurnWait(session, message, int(DEADLINE_S * 1000)))
        assert answer is not None, "the turn does not end"
        return answer

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return all messages of a session."""
        return self.ask(MessageList(session))

    def replayed(self) -> list[Event]:
        """Return this epoch from its start, as a subscriber asks for it that knew the last."""
        epoch = self.ears.heartbeats[-1].epoch
        envelopes = [e.envelope for e in self.ears.events if e.envelope.epoch == epoch]
        upto = max([self.ears.heartbeats[-1].seq, *(envelope.seq for envelope in envelopes)])
        events: list[Event] = []
        after = 0
        while after < upto:
            frame = decode(self.done(Replay(epoch, after)).body)
            assert isinstance(frame, Batch)
            events += [Event(envelope) for envelope in frame.envelopes]
            after = frame.envelopes[-1].seq
        return events

    def heard(self, session: str) -> list[Event]:
        """Return the events of a session so far."""
        return self.ears.of(session)

    def deltas(self, session: str) -> list[str]:
        """Return the deltas of a session so far."""
        events = (heard.envelope.event for heard in self.heard(session))
        return [event.delta for event in events if isinstance(event, Delta)]

    def until_deltas(self, session: str, count: int) -> None:
        """Wait until so many deltas of a session have been heard."""
        self.ears.until_count(session, "message.part.delta", count)

    def until_idle(self, session: str, times: int = 1, after: str = "session.idle") -> list[Event]:
        """Wait until a session has been idle so often, and return its events."""
        self.ears.until_count(session, after, times)
        return self.heard(session)


@contextlib.contextmanager
def processor(folder: Path, *flags: str, started: bool = True, **env: str) -> Iterator[Processor]:
    """Run a processor with its state under `folder` for the time of a ``with`` block."""
    # A Unix socket's path is short, and a test's own folder is not.
    sockets = tempfile.mkdtemp(prefix="weir-")
    one = Processor(folder, f"ipc://{sockets}/bus", list(flags), env)
    try:
        if started:
            one.start()
        yield one
    finally:
        one.close()
        shutil.rmtree(sockets, ignore_errors=True)


@contextlib.contextmanager
def two_processors(folder: Path) -> Iterator[tuple[Processor, Processor]]:
    """Run two, each with a folder of its own."""
    homes = folder / "a", folder / "b"
    for home in homes:
        home.mkdir()
    with processor(homes[0]) as first, processor(homes[1]) as second:
        yield first, second


def refused(*flags: str, **env: str) -> tuple[int, str]:
    """Start a processor that must not start; return its exit status and standard error."""
    return processes.refused("-m", "processor", *flags, env=env)
