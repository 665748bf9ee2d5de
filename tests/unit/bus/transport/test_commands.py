"""Requester and responder over real sockets: every command gets an answer, or is told why not."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import gevent
import msgspec
import pytest
import zmq.green
from gevent.event import Event

import bus.transport.requester
from bus.commands import (
    CommandFailed,
    Done,
    Failed,
    Request,
    SessionGet,
    SessionList,
    SnapshotGet,
    Statuses,
)
from bus.transport import sockets
from bus.transport.link import Link
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from bus.transport.responder import Responder

_encode = msgspec.msgpack.Encoder().encode


def until(socket: zmq.Socket, event: int) -> None:
    """Wait until a socket can be read or written; a green poller may notice it a second late."""
    with gevent.Timeout(10):
        while not socket.get(zmq.EVENTS) & event:
            gevent.sleep(0.002)


class Channel:
    """A command channel of which a test starts the ends it needs."""

    def __init__(self, address: str, context: zmq.green.Context) -> None:
        self.address = address
        self.alive = True
        self.restarts = 0
        self._context = context
        self._greenlets: list[gevent.Greenlet] = []

    def answer_with(self, handler) -> zmq.Socket:
        """Start a responder."""
        socket = sockets.responder_socket(self._context, self.address)
        self._spawn(Responder(Link(socket), handler).run)
        return socket

    def requester(self, deadline_s: float = 10.0) -> Requester:
        """Start a requester."""
        socket = sockets.requester_socket(self._context, self.address)
        requester = Requester(Link(socket), lambda: self.alive, deadline_s, lambda: self.restarts)
        self._spawn(requester.run)
        return requester

    def joined(self, handler) -> Requester:
        """Start both ends, and wait until they have met."""
        self.answer_with(handler)
        requester = self.requester()
        until(requester._link.socket, zmq.POLLOUT)
        return requester

    def dealer(self) -> zmq.Socket:
        """Return the raw socket of a client that may say anything."""
        socket = sockets.requester_socket(self._context, self.address)
        until(socket, zmq.POLLOUT)
        return socket

    def close(self) -> None:
        gevent.killall(self._greenlets)
        self._context.destroy(linger=0)

    def _spawn(self, run) -> None:
        self._greenlets.append(gevent.spawn(run))


@contextmanager
def _channel() -> Iterator[Channel]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))
        channel = Channel(f"ipc://{folder}/commands", zmq.green.Context())
        stack.callback(channel.close)
        yield channel


@pytest.fixture
def channel():
    with _channel() as one:
        yield one


def echo(command):
    return msgspec.json.encode(command), None


def refuse(command):
    raise CommandFailed("conflict", f"{command.session} is taken")


def crash(command):
    raise KeyError("a mistake")


def test_an_answer_has_the_body_and_the_cursor_of_the_handler(channel):
    requester = channel.joined(lambda command: (b'{"a":1}', "next"))
    answer = requester.call(SessionGet("ses_1"))
    assert (answer.body, answer.cursor) == (b'{"a":1}', "next")


def test_a_command_arrives_as_it_was_sent(channel):
    requester = channel.joined(echo)
    command = SessionList("/srv/дём", roots=True, start=2**53 - 1, search="é", limit=7)
    assert msgspec.json.decode(requester.call(command).body, type=SessionList) == command


def test_commands_are_answered_as_they_are_done_and_each_to_its_caller(channel):
    order, release = [], {f"ses_{n}": Event() for n in range(20)}

    def handler(command):
        release[command.session].wait()
        order.append(command.session)
        return command.session.encode(), None

    requester = channel.joined(handler)
    calls = {name: gevent.spawn(requester.call, SessionGet(name)) for name in release}
    for name in reversed(release):
        release[name].set()
        assert calls[name].get(timeout=60).body == name.encode()
    assert order == list(reversed(release))


def test_two_requesters_do_not_get_each_others_answers(channel):
    channel.answer_with(lambda command: (command.session.encode(), None))
    requesters = [channel.requester() for _ in range(2)]
    for requester in requesters:
        until(requester._link.socket, zmq.POLLOUT)
    calls = [
        (f"ses_{n}", gevent.spawn(requesters[n % 2].call, SessionGet(f"ses_{n}")))
        for n in range(50)
    ]
    for name, call in calls:
        assert call.get(timeout=60).body == name.encode()


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


def test_without_a_processor_a_command_is_refused_at_once(channel):
    requester = channel.requester()
    start = time.monotonic()
    with pytest.raises(ProcessorGone, match="not there"):
        requester.call(Statuses())
    assert time.monotonic() - start < 9, "it has waited for the deadline, which is ten seconds"


def test_a_processor_that_goes_away_is_noticed_before_the_deadline(channel):
    asked = Event()
    requester = channel.joined(lambda command: asked.set() or gevent.sleep(60))
    call = gevent.spawn(requester.call, Statuses(), 100)
    assert asked.wait(60)
    channel.alive = False
    with pytest.raises(ProcessorGone, match="went away"):
        call.get(timeout=60)


def test_a_processor_that_nobody_hears_but_that_answers_has_not_gone_away(channel, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(bus.transport.requester.time, "monotonic", lambda: clock[0])
    requester = channel.joined(lambda command: late(command) or (b"1", None))
    release = Event()

    def late(command):
        if isinstance(command, Statuses):
            release.wait()

    channel.alive = False
    call = gevent.spawn(requester.call, Statuses(), 100)
    for _ in range(10):
        gevent.sleep(0.1)  # what waits looks twice a second
        clock[0] += 0.8 * bus.transport.requester.SILENT_S
        requester.call(SessionGet("ses_1"))
    release.set()
    assert call.get(timeout=60).body == b"1"


def test_what_a_restarted_processor_has_lost_is_not_waited_for(channel):
    lost = sockets.responder_socket(channel._context, channel.address)
    requester = channel.requester()
    until(requester._link.socket, zmq.POLLOUT)
    call = gevent.spawn(requester.call, SessionGet("ses_1"), 60)
    lost.recv_multipart()
    lost.close(linger=0)
    channel.answer_with(echo)
    requester.insist(Statuses())
    channel.restarts += 1
    with pytest.raises(ProcessorGone, match="was restarted"):
        call.get(timeout=60)


def test_what_a_restarted_processor_carries_out_is_waited_for(channel):
    """The worker may hear of the restart after it has asked the new processor."""
    release, looks = Event(), []

    def handler(command):
        release.wait()
        return b"1", None

    requester = channel.joined(handler)
    requester._restarts = lambda: looks.append(1) or min(len(looks) - 1, 1)
    call = gevent.spawn(requester.call, SessionGet("ses_1"), 30)
    with gevent.Timeout(20):
        while len(looks) < 6:  # of which one has asked, and four have looked before and meanwhile
            gevent.sleep(0.01)
    release.set()
    assert call.get(timeout=60).body == b"1"
    assert requester._waiting == {}


def test_who_insists_takes_a_late_answer_of_one_that_nobody_hears(channel, monkeypatch):
    monkeypatch.setattr(bus.transport.requester, "SILENT_S", 0.0)
    requester = channel.joined(lambda command: gevent.sleep(1.2) or (b"1", None))
    channel.alive = False
    assert requester.insist(Statuses()).body == b"1"


def test_who_insists_asks_again_what_a_processor_has_lost(channel, monkeypatch):
    monkeypatch.setattr(bus.transport.requester, "PATIENCE_S", 6.0)
    asked = []
    requester = channel.joined(
        lambda command: (
            asked.append(1) or gevent.sleep(0 if len(asked) > 1 else 60) or (b"1", None)
        )
    )
    assert requester.insist(Statuses()).body == b"1"
    assert len(asked) == 2
    assert requester._waiting == {}


def test_patience_ends(channel, monkeypatch):
    monkeypatch.setattr(bus.transport.requester, "PATIENCE_S", 0.6)
    requester = channel.joined(lambda command: gevent.sleep(60))
    with pytest.raises(DeadlineExceeded, match=r"within 0\.6 s"):
        requester.insist(Statuses())


def test_a_deadline_is_kept_and_its_late_answer_is_nobodys(channel):
    late = Event()

    def handler(command):
        if isinstance(command, Statuses):
            late.wait()
        return b"1", None

    requester = channel.joined(handler)
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
        requester.call(Statuses(), 0.2)
    assert 0.2 <= time.monotonic() - start < 8, "without it, it would be ten"
    late.set()
    assert [requester.call(SessionGet("ses_1")).body for _ in range(3)] == [b"1"] * 3
    assert requester._waiting == {}


def test_no_call_waits_longer_than_a_minute(channel, monkeypatch):
    waited_s = []

    def wait(request, result, deadline_s):
        waited_s.append(deadline_s)
        return Done(1, b"")

    channel.answer_with(echo)
    for requester in (channel.requester(deadline_s=3600), channel.requester(deadline_s=5)):
        until(requester._link.socket, zmq.POLLOUT)
        monkeypatch.setattr(requester, "_wait", wait)
        requester.call(Statuses())
        requester.call(Statuses(), 3600)
    assert waited_s == [60, 60, 5, 60]


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
    dealer.send(_encode(Request(9, SessionGet("ses_1"))))
    until(dealer, zmq.POLLIN)
    assert msgspec.msgpack.decode(dealer.recv(), type=Done).id == 9
    assert f"malformed command of {len(nonsense)} bytes" in caplog.text


def test_nonsense_does_not_stop_a_requester(channel):
    router = sockets.responder_socket(channel._context, channel.address)
    requester = channel.requester()
    until(requester._link.socket, zmq.POLLOUT)
    call = gevent.spawn(requester.call, SessionGet("ses_1"))
    peer, data = router.recv_multipart()
    request = msgspec.msgpack.decode(data, type=Request)
    no_unicode = b"\x94\x02\x01\xa8internal\xa1\xff"
    others, own = _encode(Done(99, b"nobody's")), _encode(Done(request.id, b"it"))
    for answer in (b"\xc1", b"", no_unicode, others, own):
        router.send_multipart([peer, answer])
    assert call.get(timeout=60).body == b"it"


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
    assert begun.wait(30)
    assert len(requester.call(SessionGet("ses_1")).body) == 1_000_000
    assert not any(one.ready() for one in asked)
    go.set()
    assert all(len(one.get(timeout=30).body) == 1_000_000 for one in asked)
    assert most == 2


def test_a_client_that_takes_no_snapshot_does_not_hold_up_others(channel):
    channel.answer_with(lambda command: (b"x" * 20_000_000, None))
    idle = channel.dealer()
    for number in range(4):
        idle.send(_encode(Request(number, SnapshotGet())))
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
    dealer.send(_encode(Request(1, SessionGet("slow"))))
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
