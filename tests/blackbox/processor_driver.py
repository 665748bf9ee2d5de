"""A processor as a real process, and the two sockets a gateway would have to it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from bus.bodies import CreateBody, PromptBody, TextInput
from bus.codec import Batch, Heartbeat, decode
from bus.commands import (
    Answer,
    Command,
    CommandFailed,
    Done,
    MessageList,
    Prompt,
    Replay,
    Request,
    SessionCreate,
    TurnWait,
)
from bus.endpoints import Endpoints
from bus.envelope import Envelope
from bus.sockets import requester_socket, subscriber_socket

ROOT = Path(__file__).parents[2]
DEADLINE_S = 15.0
DIRECTORY = "/srv/demo/proj1"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class Event:
    """One event as a client would see it."""

    def __init__(self, envelope: Envelope) -> None:
        wire = json.loads(envelope.event.json())  # unlike msgspec, it takes all that JSON may be
        self.envelope = envelope
        self.id: str | None = wire.get("id")
        self.type: str = wire["type"]
        self.properties: dict[str, Any] = wire.get("properties", {})
        self.wire: dict[str, Any] = wire

    def __repr__(self) -> str:
        return f"{self.type} {self.properties}"


class Ears:
    """Everything a bus says, collected by a thread."""

    def __init__(self, context: zmq.Context, endpoints: Endpoints) -> None:
        self.events: list[Event] = []
        self.heartbeats: list[Heartbeat] = []
        self._changed = threading.Condition()
        self._socket = subscriber_socket(context, [endpoints.events])
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._stop = threading.Event()
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(50):
                continue
            frame = decode(self._socket.recv())
            with self._changed:
                if isinstance(frame, Heartbeat):
                    self.heartbeats.append(frame)
                else:
                    self.events.extend(Event(envelope) for envelope in frame.envelopes)
                self._changed.notify_all()
        self._socket.close(0)

    def until(self, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Wait until `condition` is true of what was heard, and return what it returned."""
        with self._changed:
            if self._changed.wait_for(condition, deadline_s):
                return condition()
            raise TimeoutError(f"not within {deadline_s} s; heard last: {self.events[-8:]}")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class Processor:
    """A running processor. `kill` and `start` may be called again and again."""

    def __init__(self, folder: Path, bus: str, flags: list[str], env: dict[str, str]) -> None:
        self.state = folder / "state"
        self.bus = bus
        self.endpoints = Endpoints.parse(bus)
        self._flags = flags
        self._env = env
        self._log = folder / "processor.log"
        self._context = zmq.Context()
        self.ears = Ears(self._context, self.endpoints)
        self._asker = requester_socket(self._context, self.endpoints.commands)
        self._number = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start(self) -> None:
        """Start the process; return when it is ready and its events are heard."""
        started = self.log.count("processor ready")
        heard = len(self.ears.heartbeats)
        command = [sys.executable, "-m", "processor"]
        command += ["--bus", self.bus, "--state", str(self.state), *self._flags]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=self._env)
        try:
            self._wait_for_ready(started)
            self.ears.until(lambda: len(self.ears.heartbeats) > heard)
        except BaseException:
            self.kill()
            raise

    def _wait_for_ready(self, started: int) -> None:
        end = time.monotonic() + DEADLINE_S
        while self.log.count("processor ready") == started:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            threading.Event().wait(0.01)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
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
        return msgspec.json.decode(self.done(command).body)

    def done(self, command: Command) -> Done:
        """Return the answer to a command, or raise what it was refused with."""
        self._number += 1
        # The socket refuses while the connection is being made.
        assert self._asker.poll(DEADLINE_S * 1000, zmq.POLLOUT), "no processor"
        self.send(_encode(Request(self._number, command)))
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
        return [e for e in self.ears.events if e.envelope.session == session]

    def deltas(self, session: str) -> list[str]:
        """Return the deltas of a session so far."""
        heard = self.heard(session)
        return [e.properties["delta"] for e in heard if e.type == "message.part.delta"]

    def until_deltas(self, session: str, count: int) -> None:
        """Wait until so many deltas of a session have been heard."""
        self.ears.until(lambda: len(self.deltas(session)) >= count)

    def until_idle(self, session: str, times: int = 1, after: str = "session.idle") -> list[Event]:
        """Wait until a session has been idle so often, and return its events."""
        self.ears.until(lambda: [e.type for e in self.heard(session)].count(after) >= times)
        return self.heard(session)


@contextlib.contextmanager
def processor(folder: Path, *flags: str, started: bool = True, **env: str) -> Iterator[Processor]:
    """Run a processor with its state under `folder` for the time of a ``with`` block."""
    # A Unix socket's path is short, and a test's own folder is not.
    sockets = tempfile.mkdtemp(prefix="weir-")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    running = Processor(folder, f"ipc://{sockets}/bus", list(flags), {**clean, **env})
    try:
        if started:
            running.start()
        yield running
    finally:
        running.close()
        shutil.rmtree(sockets, ignore_errors=True)


def refused(*flags: str, **env: str) -> tuple[int, str]:
    """Start a processor that must not start; return its exit status and standard error."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    ended = subprocess.run(
        [sys.executable, "-m", "processor", *flags],
        cwd=ROOT,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    return ended.returncode, ended.stderr
