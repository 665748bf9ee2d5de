"""What is remembered of the processor's answers, and what is made of it."""

import json

import gevent

from bus.answers import CommandFailed
from bus.commands import Readiness
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from gateway.monitor.readiness import ReadinessMemory
from tests.fakes.requester import ScriptedRequester


def memory(*answers, relays=True):
    clock = [0.0]
    requester = ScriptedRequester(*answers)
    one = ReadinessMemory("ipc:///bus", requester, "0.1", relays, lambda: clock[0])
    return one, clock, requester


def said(**fields):
    return json.dumps({"ready": True, "reasons": [], **fields}).encode()


def failing(one):
    return [check.reason for check in one.checks() if not check.ok]


def test_the_last_answer_counts_until_it_is_old():
    one, clock, requester = memory(said(upstream={"version": "1.18.33"}), ProcessorGone("gone"))
    assert one.version == "0.1"
    assert failing(one) == ["the processor has not answered yet"]
    one.ask()
    assert requester.commands == [Readiness()]
    assert (failing(one), one.answering, one.age_s) == ([], True, 0.0)
    assert one.upstream == {"version": "1.18.33"}
    clock[0] = 3.0
    one.ask()
    assert failing(one) == []
    clock[0] = 5.0
    assert failing(one) == ["the processor has not answered for 5.0 s; allowed: 4 s"]
    assert one.version == "1.18.33"


def test_a_worker_that_has_just_started_does_not_wait_a_second_for_its_processor(monkeypatch):
    gone = [ProcessorGone("not there yet")] * 3
    one, _, requester = memory(*gone, said())
    waited_s = []

    def sleep(seconds):
        if one.answering:
            raise gevent.GreenletExit
        waited_s.append(seconds)

    monkeypatch.setattr(gevent, "sleep", sleep)
    gevent.spawn(one.run).join()
    assert len(requester.commands) == 4
    assert sum(waited_s) < 0.9


def test_every_check_has_a_value_a_threshold_and_a_reason():
    one, clock, _ = memory(said(upstream={"frame_age_s": 2.0, "silence_s": 30.0}))
    one.ask()
    clock[0] = 0.5
    answer, processor, upstream = one.checks()
    assert (answer.value, answer.threshold) == (0.5, 4.0)
    assert answer.reason == "the processor answered 0.5 s ago"
    assert processor.reason == "the processor is ready"
    assert (upstream.value, upstream.threshold) == (2.5, 30.0)
    assert upstream.reason == "the upstream last sent an event or a heartbeat 2.5 s ago"


def test_a_processor_that_cannot_say_is_not_ready_and_is_asked_less_often():
    refused = CommandFailed("internal", "unknown command")
    one, _, _ = memory(refused, b"[]", DeadlineExceeded("late"), said(upstream={}))
    assert one.ask() is True
    assert "unknown command" in failing(one)[0]
    assert one.ask() is True
    assert one.ask() is False
    assert one.ask() is False
    assert failing(one) == []


def test_a_gateway_with_an_upstream_needs_a_processor_that_reads_it():
    assert asked(relays=True) == [
        "the processor reads no upstream; start it with the gateway's --upstream"
    ]
    assert asked(relays=False) == []


def asked(relays):
    one, _, _ = memory(said(), relays=relays)
    one.ask()
    return failing(one)


def test_an_unready_processor_without_a_reason_still_has_one():
    one, _, _ = memory(said(ready=False), relays=False)
    one.ask()
    assert failing(one) == ["the processor is not ready"]


def test_the_reasons_of_the_processor_are_told_one_by_one():
    one, _, _ = memory(said(ready=False, reasons=["a", "b"]), relays=False)
    one.ask()
    assert failing(one) == ["a", "b"]


def test_an_upstream_that_is_silent_for_too_long_is_told_with_what_is_allowed():
    upstream = {"frame_age_s": 29.5, "silence_s": 30.0}
    one, clock, _ = memory(said(upstream=upstream))
    one.ask()
    assert failing(one) == []
    clock[0] = 1.0
    assert failing(one) == [
        "the upstream last sent an event or a heartbeat 30.5 s ago; allowed: 30 s"
    ]


def test_what_an_older_processor_does_not_tell_is_no_fault():
    one, _, _ = memory(said(upstream={"connected": True, "frame_age_s": None}))
    one.ask()
    assert failing(one) == []


def test_an_upstream_that_need_not_be_is_checked_where_there_is_one():
    upstream = {"frame_age_s": 31.0, "silence_s": 30.0}
    one, _, _ = memory(said(upstream=upstream), relays=False)
    one.ask()
    assert failing(one) == [
        "the upstream last sent an event or a heartbeat 31.0 s ago; allowed: 30 s"
    ]
