"""A requester over a real socket: every call ends, with its answer or with the reason."""

import time

import gevent
import msgspec
import pytest
import zmq.green
from gevent.event import Event

import bus.transport.requester
from bus.answers import Done
from bus.commands import NumberedCommand, SessionGet, Statuses
from bus.transport import sockets
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from tests.processes import DEADLINE_S
from tests.unit.bus.transport.channel import echo, until

_encode = msgspec.msgpack.Encoder().encode


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
        assert calls[name].get(timeout=DEADLINE_S).body == name.encode()
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
        assert call.get(timeout=DEADLINE_S).body == name.encode()


def test_without_a_processor_a_command_is_refused_at_once(channel):
    requester = channel.requester()
    start = time.monotonic()
    with pytest.raises(ProcessorGone, match="no processor"):
        requester.call(Statuses(), DEADLINE_S)
    assert time.monotonic() - start < DEADLINE_S / 2, "it has waited for the deadline"


def test_a_processor_that_goes_away_is_noticed_before_the_deadline(channel):
    asked = Event()
    requester = channel.joined(lambda command: asked.set() or gevent.sleep(60))
    call = gevent.spawn(requester.call, Statuses(), 100)
    assert asked.wait(DEADLINE_S)
    channel.alive = False
    with pytest.raises(ProcessorGone, match="no longer answers"):
        call.get(timeout=DEADLINE_S)


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
    assert call.get(timeout=DEADLINE_S).body == b"1"


def test_what_a_restarted_processor_has_lost_is_not_waited_for(channel):
    lost = sockets.responder_socket(channel.context, channel.address)
    requester = channel.requester()
    until(requester._link.socket, zmq.POLLOUT)
    call = gevent.spawn(requester.call, SessionGet("ses_1"), 60)
    lost.recv_multipart()
    lost.close(linger=0)
    channel.answer_with(echo)
    requester.insist(Statuses())
    channel.restarts += 1
    with pytest.raises(ProcessorGone, match="was restarted"):
        call.get(timeout=DEADLINE_S)


def test_what_a_restarted_processor_carries_out_is_waited_for(channel):
    """The worker may hear of the restart after it has asked the new processor."""
    release, looks = Event(), []

    def handler(command):
        release.wait()
        return b"1", None

    requester = channel.joined(handler)
    requester._restarts = lambda: looks.append(1) or min(len(looks) - 1, 1)
    call = gevent.spawn(requester.call, SessionGet("ses_1"), 30)
    with gevent.Timeout(DEADLINE_S):
        while len(looks) < 6:  # of which one has asked, and four have looked before and meanwhile
            gevent.sleep(0.01)
    release.set()
    assert call.get(timeout=DEADLINE_S).body == b"1"
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


def test_nonsense_does_not_stop_a_requester(channel):
    router = sockets.responder_socket(channel.context, channel.address)
    requester = channel.requester()
    until(requester._link.socket, zmq.POLLOUT)
    call = gevent.spawn(requester.call, SessionGet("ses_1"))
    peer, data = router.recv_multipart()
    request = msgspec.msgpack.decode(data, type=NumberedCommand)
    no_unicode = b"\x94\x02\x01\xa8internal\xa1\xff"
    others, own = _encode(Done(99, b"nobody's")), _encode(Done(request.id, b"it"))
    for answer in (b"\xc1", b"", no_unicode, others, own):
        router.send_multipart([peer, answer])
    assert call.get(timeout=DEADLINE_S).body == b"it"
