"""A responder over a real socket: it answers every command, whatever its clients do."""

import logging
from itertools import pairwise

import gevent
import msgspec
import pytest
import zmq.green
from gevent.event import Event

from bus.answers import CommandFailed, Done, Failed
from bus.commands import NumberedCommand, SessionGet, SessionList, SnapshotGet
from bus.transport.responder import Responder
from tests.processes import DEADLINE_S
from tests.unit.bus.transport.channel import crash, echo, refuse, until

_encode = msgspec.msgpack.Encoder().encode


def test_an_answer_has_the_body_and_the_cursor_of_the_handler(channel):
    requester = channel.joined(lambda command: (b'{"a":1}', "next"))
    answer = requester.call(SessionGet("ses_1"))
    assert (answer.body, answer.cursor) == (b'{"a":1}', "next")


def test_a_command_arrives_as_it_was_sent(channel):
    requester = channel.joined(echo)
    command = SessionList("/srv/дём", roots=True, start=2**53 - 1, search="é", limit=7)
    assert msgspec.json.decode(requester.call(command).body, type=SessionList) == command


def test_a_refusal_keeps_its_kind_and_its_words(channel):
    requester = channel.joined(refuse)
    with pytest.raises(CommandFailed, match="ses_1 is taken") as refusal:
        requester.call(SessionGet("ses_1"))
    assert refusal.value.kind == "conflict"


def test_a_crash_is_answered_without_its_details_and_logged_with_them(channel, caplog):
    requester = channel.joined(crash)
    for _ in range(2):
        with pytest.raises(CommandFailed) as refusal:
            requester.call(SessionGet("ses_1"))
        assert refusal.value.kind == "internal"
        assert "a mistake" not in refusal.value.message
    [first, _] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "SessionGet" in first.getMessage()
    assert "a mistake" in str(first.exc_info[1])


@pytest.mark.parametrize(
    "request_bytes",
    [
        _encode([7, ["NoSuchCommand"]]),
        _encode([7, {"type": "NoSuchCommand"}]),
        _encode([7, {"type": "SessionGet"}]),
        _encode([7, {"type": "SessionGet", "session": 1}]),
        _encode([7]),
        _encode([7, None]),
        b"\x92\x07" + b"\x91" * 500 + b"\xc0",
        b"\x92\x07\x82\xa4type\xaaSessionGet\xa7session\xa1\xff",
    ],
    ids=lambda data: data[:24].hex(),
)
def test_a_malformed_command_is_answered(channel, request_bytes):
    channel.answer_with(echo)
    dealer = channel.dealer()
    dealer.send(request_bytes)
    until(dealer, zmq.POLLIN)
    answer = msgspec.msgpack.decode(dealer.recv(), type=Failed)
    assert (answer.id, answer.kind) == (7, "invalid")
    assert answer.message


@pytest.mark.parametrize("nonsense", [b"", b"\xc1", b"{}", b"\x91" * 50_000, b"\xff" * 10])
def test_nonsense_does_not_stop_a_responder(channel, nonsense, caplog):
    channel.answer_with(echo)
    dealer = channel.dealer()
    dealer.send(nonsense)
    dealer.send(_encode(NumberedCommand(9, SessionGet("ses_1"))))
    until(dealer, zmq.POLLIN)
    assert msgspec.msgpack.decode(dealer.recv(), type=Done).id == 9
    assert f"malformed command of {len(nonsense)} bytes" in caplog.text


def test_snapshots_are_made_a_few_at_a_time_and_hold_up_no_other_command(channel):
    now, most, begun, go = 0, 0, Event(), Event()

    def handler(command):
        nonlocal now, most
        if isinstance(command, SnapshotGet):
            now += 1
            most = max(most, now)
            begun.set()
            go.wait()
            now -= 1
        return b"x" * 1_000_000, None

    requester = channel.joined(handler)
    asked = [gevent.spawn(requester.call, SnapshotGet()) for _ in range(20)]
    assert begun.wait(DEADLINE_S)
    assert len(requester.call(SessionGet("ses_1")).body) == 1_000_000
    assert not any(one.ready() for one in asked)
    go.set()
    assert all(len(one.get(timeout=DEADLINE_S).body) == 1_000_000 for one in asked)
    assert most == 2


def test_a_client_that_takes_no_snapshot_does_not_hold_up_others(channel):
    channel.answer_with(lambda command: (b"x" * 20_000_000, None))
    idle = channel.dealer()
    for number in range(4):
        idle.send(_encode(NumberedCommand(number, SnapshotGet())))
    requester = channel.requester()
    until(requester._link.socket, zmq.POLLOUT)
    assert len(requester.call(SnapshotGet()).body) == 20_000_000


def test_a_client_that_leaves_before_its_answer_disturbs_nobody(channel):
    proceed = Event()

    def handler(command):
        if command.session == "slow":
            proceed.wait()
        return b"1", None

    requester = channel.joined(handler)
    dealer = channel.dealer()
    dealer.send(_encode(NumberedCommand(1, SessionGet("slow"))))
    dealer.close(linger=200)
    proceed.set()
    assert requester.call(SessionGet("ses_1")).body == b"1"


def test_commands_that_have_come_already_let_other_greenlets_run():
    class Flood:
        """A link that always has a command; it stops the test at the last."""

        def __init__(self) -> None:
            self.received = 0

        def receive(self) -> list[bytes]:
            self.received += 1
            if self.received > 1000:
                raise gevent.GreenletExit
            return [b"peer", b"\xc1"]

    flood = Flood()
    seen = []
    running = gevent.spawn(Responder(flood, lambda _: (b"{}", None)).run)
    while not running.ready():
        seen.append(flood.received)
        gevent.sleep(0)
    assert len(seen) > 50
    assert max(later - sooner for sooner, later in pairwise(seen)) < 100
