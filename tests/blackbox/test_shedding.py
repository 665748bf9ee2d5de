"""Readers that take nothing, little, or are no longer there: who is let go, how, and when."""

import json
import socket
import time
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.blackbox import crowd
from tests.blackbox.bad_readers import BadReaders, delays_ms
from tests.blackbox.counted import FLOOD, counted
from tests.blackbox.gateway_on_bus import temporary_folder
from tests.blackbox.namespace import NoNamespace, namespace
from tests.blackbox.source import MARKER
from tests.envelopes import DIRECTORY
from tests.processes import at_best, wait_until
from tests.raw_client import RawClient
from tests.sse_client import SseClient

STALL_S = 3.0
LATEST_S = STALL_S * 1.2 + 1.0
FLAGS = ("--stall-timeout", str(STALL_S), "--heartbeat-ms", "1000")
FULL = 300_000
MANY_STALL_S = 15.0
MOST_LOAD = 0.1  # of a core, by hundreds of bad readers
MORE_THAN_IS_DISCARDED = 80 * 1024


@pytest.fixture(scope="module")
def shared():
    with temporary_folder() as folder, counted(folder, *FLAGS, host="0.0.0.0") as one:
        yield one


@pytest.fixture
def weir(shared):
    """A gateway that the tests share; evictions are counted anew for each."""
    shared.settled("nobody left", readers=0)
    shared.count_anew()
    return shared


@pytest.fixture
def cable():
    try:
        with namespace() as one:
            yield one
    except NoNamespace as error:
        pytest.skip(str(error))


def next_type(stream):
    return json.loads(stream.next().data)["payload"]["type"]


def test_one_that_reads_nothing_is_reset_in_time_and_others_are_not(weir):
    assert STALL_S * 0.9 < at_best(lambda: stalled_s(weir), LATEST_S + 1) < LATEST_S + 1


def stalled_s(weir):
    """Return how long one stays that reads nothing, beside one that reads."""
    weir.count_anew()
    with SseClient(f"{weir.url}/global/event") as fast:
        assert next_type(fast) == "server.connected"
        stalled = crowd.reader(weir.host, weir.port)
        weir.settled("both", readers=2)
        weir.flood()
        began = time.monotonic()
        got = {next_type(fast) for _ in range(FLOOD)}
        assert got <= {"test.flood", "server.heartbeat"}
        weir.settled("the reset", readers=1, stalled=1)
        let_go_s = time.monotonic() - began
        assert wait_until(lambda: crowd.reset_count([stalled]), what="a reset") == 1
    weir.settled("the end", readers=0, gone=1)
    stalled.close()
    return let_go_s


def test_one_with_nothing_to_send_is_kept(weir):
    """Its heartbeats are taken by the kernel of its machine: it need not read them."""
    idle = crowd.reader(weir.host, weir.port)
    weir.settled("the stream", readers=1)
    deadline = time.monotonic() + 2 * STALL_S
    wait_until(lambda: time.monotonic() > deadline)
    assert weir.census()["readers"] == 1
    idle.close()


@pytest.mark.parametrize("receive_buffer", [None, 4096])
def test_one_that_reads_a_kilobyte_a_second_is_kept(weir, receive_buffer):
    # A try says nothing where a busy machine has kept this process from reading for long.
    wait_until(lambda: reads_slowly(weir, receive_buffer) < STALL_S / 2, 20 * STALL_S)


def reads_slowly(weir, receive_buffer):
    """Return the longest pause (s) of a reader that reads slowly; without a long one, it stays."""
    weir.settled("nobody left", readers=0)
    slow = crowd.reader(weir.host, weir.port)
    if receive_buffer:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    weir.settled("the stream", readers=1)
    weir.flood()
    with crowd.trickling([slow]) as trickle:
        deadline = time.monotonic() + 4 * STALL_S
        wait_until(lambda: trickle.ended or time.monotonic() > deadline)
    if trickle.pause_s < STALL_S / 2:
        assert not trickle.ended
        said = weir.census()
        assert said["readers"] == 1, said
    slow.close()
    return trickle.pause_s


@pytest.mark.parametrize("flooded", [False, True], ids=["idle", "in-a-write"])
def test_one_that_half_closes_is_reset_at_once(weir, flooded):
    half = crowd.reader(weir.host, weir.port)
    weir.settled("the stream", readers=1)
    if flooded:
        weir.flood()
        wait_until(lambda: weir.queued() > FULL, what="a full connection")
    half.shutdown(socket.SHUT_WR)
    weir.settled("the end", readers=0, gone=1)
    assert wait_until(lambda: crowd.reset_count([half]), what="a reset") == 1
    weir.leaves_no("CLOSE-WAIT")
    half.close()


@pytest.mark.parametrize("flooded", [False, True], ids=["idle", "in-a-write"])
def test_one_that_half_closes_behind_another_request_is_reset_at_once(weir, flooded):
    with RawClient(weir.url) as half:
        half.get("/global/event")
        half.until(b"server.connected")
        half.get("/global/health")
        weir.source.publish([MARKER])
        half.until(MARKER["type"].encode())
        half.get("/global/health")
        if flooded:
            weir.flood()
            wait_until(lambda: weir.queued() > FULL, what="a full connection")
        half.socket.shutdown(socket.SHUT_WR)
        weir.settled("the end", readers=0, gone=1)
        assert wait_until(lambda: crowd.reset_count([half.socket]), what="a reset") == 1
    weir.leaves_no("CLOSE-WAIT")


def test_one_that_goes_on_sending_is_reset(weir):
    with RawClient(weir.url) as chatty:
        chatty.get("/global/event")
        chatty.until(b"server.connected")
        chatty.send(b"x" * MORE_THAN_IS_DISCARDED)
        weir.settled("the end", readers=0, flooding=1)
        assert wait_until(lambda: crowd.reset_count([chatty.socket]), what="a reset") == 1


def test_a_connection_ends_with_its_stream_if_part_of_another_request_was_discarded(weir):
    with RawClient(weir.url) as reader:
        reader.get(f"/event?directory={quote(DIRECTORY)}")
        reader.until(b"server.connected")
        reader.send(b"POST /session HTTP/1.1\r\n")
        weir.source.publish([MARKER])
        reader.until(MARKER["type"].encode())
        end = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}
        weir.source.publish([end])
        reader.until(b"server.instance.disposed")
        rest, how = reader.rest()
        assert (rest[-5:], how) == (b"0\r\n\r\n", "end")
    weir.settled("a clean end", readers=0, disposed=1)


@pytest.mark.parametrize("flooded", [False, True], ids=["heartbeats", "in-a-write"])
def test_one_that_vanishes_without_a_word_is_let_go(weir, cable, flooded):
    lost = cable.run(lambda: crowd.reader(cable.here, weir.port))
    weir.settled("the stream", readers=1)
    cable.vanish()
    if flooded:
        weir.flood()
    weir.settled("the end", readers=0, black_holed=1)
    weir.leaves_no("CLOSE-WAIT")
    lost.close()


def test_one_on_another_machine_that_reads_nothing_is_stalled(weir, cable):
    stalled = cable.run(lambda: crowd.reader(cable.here, weir.port))
    weir.settled("the stream", readers=1)
    weir.flood()
    weir.settled("the end", readers=0, stalled=1)
    assert wait_until(lambda: crowd.reset_count([stalled]), what="a reset") == 1
    stalled.close()


@pytest.mark.timeout(900)
def test_hundreds_of_each_kind_come_and_go_and_nothing_is_left(short_folder, cable):
    flags = ["--stall-timeout", str(MANY_STALL_S), "--heartbeat-ms", "5000"]
    with counted(short_folder, *flags, host="0.0.0.0") as weir:
        weir.settled("a start", readers=0)
        before = weir.census()
        alone = load(weir)
        first = come_and_go(weir, cable)
        cable.come_back()
        second = come_and_go(weir, cable)
        assert min(first.load, second.load) - alone < MOST_LOAD
        assert min(first.gone_s, second.gone_s) < 1.5 * MANY_STALL_S
        weir.settled("as before", greenlets=before["greenlets"], fds=before["fds"])
        weir.leaves_no("CLOSE-WAIT", "ESTAB", "FIN-WAIT-1", "LAST-ACK")
        # An allocator gives back when it likes: only the most that it has needed says something.
        assert weir.memory_mb() < first.memory_mb + 15


class Cost(NamedTuple):
    """What bad readers cost a worker while they are there.

    Attributes:
        load: the share of a core that it uses for those who read fast.
        memory_mb: what it has allocated, with what its log holds.
        gone_s: how long the dead among them were there.
    """

    load: float
    memory_mb: float
    gone_s: float


def load(weir):
    """The share of a core that the worker uses while fast readers are told events at a fixed rate.

    They wait for that, and unlike a delay by the clock it says little of whatever else this
    machine does; `tests.benchmarks.shed` measures the delay.
    """
    shares = []
    for _ in range(2):
        before, began = weir.cpu_s(), time.monotonic()
        delays_ms(weir)
        shares.append((weir.cpu_s() - before) / (time.monotonic() - began))
    return min(shares)


def come_and_go(weir, cable):
    """Have 120 readers of each bad kind, and have the dead go; return what they cost."""
    weir.count_anew()
    with BadReaders(weir, cable, 120) as bad:
        bad.stall()
        weir.settled("none of them gone", readers=3 * bad.count)
        beside, memory_mb = load(weir), weir.memory_mb()
        weir.settled("the end of the dead", readers=bad.count)
        gone_s = bad.stalled_s()
        said = weir.settled("all causes", stalled=bad.count, black_holed=bad.count)
        assert said["gone"] >= bad.count
        assert not bad.slow.ended or bad.slow.pause_s > MANY_STALL_S / 2
    weir.settled("the end of the slow", readers=0)
    return Cost(beside, memory_mb, gone_s)
