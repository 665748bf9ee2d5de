"""What is remembered of the processor's answers."""

import json

from bus.commands import CommandFailed, Readiness
from bus.requester import DeadlineExceeded, ProcessorGone
from gateway.readiness import ReadinessMemory
from tests.fakes.requester import ScriptedRequester


def memory(*answers, relays=True):
    clock = [0.0]
    requester = ScriptedRequester(*answers)
    return ReadinessMemory(requester, "0.1", relays, lambda: clock[0]), clock, requester


def said(**fields):
    return json.dumps({"ready": True, "reasons": [], **fields}).encode()


def test_the_last_answer_counts_until_it_is_old():
    one, clock, requester = memory(said(upstream={"version": "1.18.33"}), ProcessorGone("gone"))
    assert one.version == "0.1"
    one.ask()
    assert requester.commands == [Readiness()]
    assert one.view() == {
        "ready": True,
        "reasons": [],
        "upstream": {"version": "1.18.33"},
        "processor": {"answering": True, "age_s": 0.0},
    }
    clock[0] = 3.0
    one.ask()
    assert one.view()["ready"] is True
    clock[0] = 5.0
    assert one.view()["reasons"] == ["the processor has not answered for 5 s"]
    assert one.version == "1.18.33"


def test_a_processor_that_cannot_say_is_not_ready_and_is_asked_less_often():
    refused = CommandFailed("internal", "unknown command")
    one, _, _ = memory(refused, b"[]", DeadlineExceeded("late"), said(upstream={}))
    assert one.ask() is True
    assert "unknown command" in one.view()["reasons"][0]
    assert one.ask() is True
    assert one.ask() is False
    assert one.ask() is False
    assert one.view()["ready"] is True


def test_a_gateway_with_an_upstream_needs_a_processor_that_reads_it():
    assert asked(relays=True) == ["the processor reads no upstream"]
    assert asked(relays=False) == []


def asked(relays):
    one, _, _ = memory(said(), relays=relays)
    one.ask()
    return one.view()["reasons"]


def test_an_unready_processor_without_a_reason_still_has_one():
    one, _, _ = memory(said(ready=False), relays=False)
    one.ask()
    assert one.view()["reasons"] == ["the processor is not ready"]
