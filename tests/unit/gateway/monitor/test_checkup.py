"""All checks together: what one worker knows of itself, and of the others by what they post."""

import json
import re
import time

import pytest

from bus.process.heart import Heart, Notifier
from bus.transport.requester import ProcessorGone
from bus.transport.source_state import SourceState
from gateway.monitor.bulletin import Bulletin
from gateway.monitor.checkup import Checkup, ProcessorStatus
from gateway.monitor.loop_lag import LoopLag
from gateway.monitor.observer import Observer
from gateway.monitor.readiness import ReadinessMemory
from gateway.monitor.scoreboard import Scoreboard
from gateway.relay import Relay
from gateway.streams.readers import Readers
from gateway.unknown_routes import UnknownRoutes
from tests.fakes.requester import ScriptedRequester

LAG = LoopLag(Heart(Notifier("")))
READY = json.dumps({"ready": True, "reasons": []}).encode()


@pytest.fixture(autouse=True)
def _clock_that_stands_still(monkeypatch):
    """What is told of ages is told to the tenth of a second."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)


class Ears:
    """As much of a subscriber as is looked at."""

    def __init__(self, **ages_s):
        self.malformed = 0
        now = time.monotonic()
        self.sources = {name: SourceState("e", 1, now - age) for name, age in ages_s.items()}


def observer(seat, ears):
    return Observer(seat, Readers(Relay(), 10), ears, LAG, None, UnknownRoutes())


def worker(board, seat, ears, *answers):
    """Return a worker's checkup, once it has posted: of a bus for each answer, or of one."""
    bulletin = Bulletin(
        board, Observer(seat, Readers(Relay(), 10), ears, LAG, None, UnknownRoutes())
    )
    bulletin.post()
    memories = [memory(f"ipc:///{number}", said) for number, said in enumerate(answers or [READY])]
    return Checkup(memories, ears, bulletin)


def memory(bus, said):
    one = ReadinessMemory(bus, ScriptedRequester(said), "0.1", relays=False)
    one.ask()
    return one


def test_a_gateway_that_lacks_nothing_is_ready():
    found = worker(Scoreboard(1), 0, Ears(s1=0.5)).diagnosis()
    assert (found.ready, found.reasons) == (True, [])
    assert [check.name for check in found.checks] == [
        *("answer_age_s", "processor", "heartbeat_age_s"),
        *("loop_lag_s", "log_fill", "ledger_fill"),
    ]
    assert all(check.ok and check.reason for check in found.checks)


def test_a_worker_that_hears_nothing_is_told_by_one_that_hears_all():
    board = Scoreboard(2)
    worker(board, 1, Ears(s1=40.0))
    [reason] = worker(board, 0, Ears(s1=0.1)).diagnosis().reasons
    assert reason == "worker 1 has received nothing from processor s1 for 40.0 s; allowed: 2.5 s"


def test_a_worker_that_has_just_begun_is_no_fault_of_the_others():
    board = Scoreboard(2)
    fresh = worker(board, 1, Ears())
    assert worker(board, 0, Ears(s1=0.1)).diagnosis().reasons == []
    assert fresh.diagnosis().reasons == []
    assert worker(Scoreboard(1), 0, Ears()).diagnosis().reasons == [
        "no processor has sent anything yet"
    ]


def test_a_worker_that_has_never_heard_what_others_hear_is_told(monkeypatch):
    board = Scoreboard(2)
    with monkeypatch.context() as early:
        began = time.monotonic() - 60
        early.setattr(time, "monotonic", lambda: began)
        deaf = Bulletin(
            board, Observer(1, Readers(Relay(), 10), Ears(), LAG, None, UnknownRoutes())
        )
    deaf.post()
    [reason] = worker(board, 0, Ears(s1=0.1)).diagnosis().reasons
    assert re.match(
        r"worker 1 has received nothing from processor s1 for 6\d.\d s; allowed: 2.5 s", reason
    )


def test_a_worker_that_stands_still_is_told_for_that_alone(monkeypatch):
    board = Scoreboard(2)
    with monkeypatch.context() as early:
        began = time.monotonic() - 60
        early.setattr(time, "monotonic", lambda: began)
        worker(board, 1, Ears(s1=40.0))
    [reason] = worker(board, 0, Ears(s1=0.1)).diagnosis().reasons
    assert re.match(
        r"the event loop of worker 1 \(pid \d+\) has been blocked for 59.\d s; allowed: 2 s",
        reason,
    )


def test_what_two_checks_say_alike_is_told_once():
    said = json.dumps({"ready": False, "reasons": ["no processor has sent anything yet"]}).encode()
    found = worker(Scoreboard(1), 0, Ears(), said).diagnosis()
    assert found.reasons == ["no processor has sent anything yet"]


def test_of_several_processors_each_is_asked_for_and_named_by_its_bus():
    upstream = {"version": "1.18.33"}
    said = json.dumps({"ready": True, "reasons": [], "upstream": upstream}).encode()
    ears = Ears(s1=0.1, s2=0.1)
    found = worker(Scoreboard(1), 0, ears, said, ProcessorGone("gone")).diagnosis()
    assert found.reasons == ["bus ipc:///1: the processor has not answered yet"]
    told = [check.reason for check in found.checks if check.name == "processor"]
    assert told == ["bus ipc:///0: the processor is ready"]
    assert found.processors == [
        ProcessorStatus("ipc:///0", answering=True, age_s=0.0, upstream=upstream),
        ProcessorStatus("ipc:///1", answering=False, age_s=None, upstream=None),
    ]
    assert found.upstream == upstream
    assert worker(Scoreboard(1), 0, ears, READY, READY).diagnosis().reasons == []
    only_one = worker(Scoreboard(1), 0, Ears(s1=0.1), READY, READY)
    assert only_one.diagnosis().reasons == ["no processor has sent anything yet"]
