"""A session after a hole in the stream: what was hidden, and what the stream brings meanwhile."""

import queue
import threading

import msgspec
import pytest

from acp_client.attached import Attached, RunningTurn
from acp_client.protocol.wire import Status
from acp_client.session.turn import CANCELLED, TurnOutcome
from tests.processes import DEADLINE_S, wait_until
from tests.unit.acp_client.screen import (
    MESSAGE,
    PART,
    SESSION,
    Editor,
    conversation,
    delta,
    message,
    part,
)

PROMPT = {"info": {"id": "msg_0", "role": "user"}}
NEXT = {"message": "msg_2", "id": "prt_2"}


class Server:
    """Is busy with the session, and tells its messages when a test hands them over."""

    def __init__(self):
        self.asked = queue.SimpleQueue()
        self.messages = queue.SimpleQueue()

    def get(self, path, kind, *_, **__):
        if path == "/session/status":
            return {SESSION: Status("busy")}
        self.asked.put(path)
        return msgspec.convert(self.messages.get(timeout=DEADLINE_S), kind)


class Outlet:
    """An editor that notes what comes after the answer."""

    def __init__(self):
        self.editor = Editor()
        self.late = []
        self.answered = threading.Event()

    def update(self, session, update):
        self.editor.apply([update])
        if self.answered.is_set():
            self.late.append(update)


class Turn:
    """A session whose turn has begun, and what it is told under the agent's lock."""

    def __init__(self):
        self.server, self.outlet = Server(), Outlet()
        self._lock = threading.RLock()
        self._attached = Attached(conversation(), self.server, self.outlet, self._lock)
        self._attached.go_live()
        self._running = self._attached.running = RunningTurn()
        self._running.sent = self._running.accepted = True
        self._running.done = self.outlet.answered
        self.take(message("user", id="msg_0"), message(), part(), delta("one"))

    def take(self, *events):
        with self._lock:
            for event in events:
                self._attached.take(event)

    def note_gap(self):
        with self._lock:
            self._attached.note_gap()

    def give_up(self):
        with self._lock:
            self._attached.finish(self._running, TurnOutcome(CANCELLED))

    def asked(self):
        """Wait until the messages are asked for."""
        self.server.asked.get(timeout=DEADLINE_S)

    def recovered(self):
        wait_until(lambda: not self._attached._recovering, what="the end of the recovery")

    def said(self):
        return self.outlet.editor.text(MESSAGE), self.outlet.editor.text("msg_2")


@pytest.fixture
def turn():
    one = Turn()
    yield one
    for _ in range(4):
        one.server.messages.put([])


def stored(*texts):
    """Messages with a text each, the first of which has ended."""
    ids = [(MESSAGE, PART), (NEXT["message"], NEXT["id"])]
    return [
        {
            "info": {"id": id_, "role": "assistant", "time": {"completed": 2} if text else {}},
            "parts": [{"id": part_id, "messageID": id_, "type": "text", "text": text}],
        }
        for (id_, part_id), text in zip(ids, texts, strict=False)
    ]


def test_what_the_stream_brings_waits_for_what_the_hole_has_hidden(turn):
    turn.note_gap()
    turn.asked()
    turn.take(message(id="msg_2"), part(**NEXT), delta("three", **NEXT))
    assert turn.said() == ("one", "")
    turn.server.messages.put([PROMPT, *stored("one two")])
    wait_until(lambda: turn.said() == ("one two", "three"), what="both messages")
    turn.take(delta(" four", **NEXT))
    assert turn.said() == ("one two", "three four")


def test_a_hole_in_what_waits_is_minded_and_what_was_fetched_before_it_is_not(turn):
    turn.note_gap()
    turn.asked()
    turn.take(message(id="msg_2"), part(**NEXT), delta("three", **NEXT))
    turn.note_gap()
    turn.take(delta(" five", **NEXT))
    turn.server.messages.put([PROMPT, *stored("one")])
    turn.asked()
    assert turn.said() == ("one", "")
    turn.server.messages.put([PROMPT, *stored("one two", "")])
    wait_until(lambda: turn.said() == ("one two", "three"), what="what came before the hole")
    turn.take(part("three four five", closed=True, **NEXT))
    assert turn.said() == ("one two", "three four five")


def test_a_turn_that_is_given_up_tells_what_waits_before_it_is_answered(turn):
    turn.note_gap()
    turn.asked()
    turn.take(message(id="msg_2"), part(**NEXT), delta("three", **NEXT))
    turn.give_up()
    assert turn.said() == ("one", "three")
    turn.server.messages.put([PROMPT, *stored("one two")])
    turn.recovered()
    assert turn.outlet.late == []
