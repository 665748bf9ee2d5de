"""Turns, as seen from the bus and from REST, with the built-in model and with a provider."""

import time
from collections.abc import Iterator

import pytest

from bus.answers import CommandFailed
from bus.commands import Abort, Statuses
from processor.native.turns import MOST_WAITING
from tests.blackbox.ears import Event
from tests.blackbox.processor_driver import Processor, processor
from tests.fakes.process import Provider
from tests.processes import at_best
from tests.reference import State


@pytest.fixture(scope="module")
def model(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processor]:
    flags = ["--model-url", provider.url, "--model", "m1", "--model-retries", "2"]
    with processor(tmp_path_factory.mktemp("model"), *flags) as running:
        yield running


def folded(events: list[Event]) -> list[dict]:
    """The messages a client holds that has heard `events`, as REST has them."""
    state = State()
    for event in events:
        state.apply({"type": event.type, "properties": event.properties})
    [infos] = state.messages.values()
    return [
        {"info": info, "parts": list(state.parts.get(message, {}).values())}
        for message, info in infos.items()
    ]


@pytest.mark.parametrize("prompt", ["hello there", "storm 5000 40", "rate 1000 100"])
def test_the_demo_streams_and_the_events_fold_to_what_rest_has(
    demo: Processor, prompt: str
) -> None:
    session = demo.session()
    answer = demo.turn(session, prompt)
    assert answer["info"]["finish"] == "stop"
    events = demo.until_idle(session)
    assert folded(events) == demo.messages(session)
    assert "".join(demo.deltas(session)) == "".join(p.get("text", "") for p in answer["parts"])


def test_a_storm_is_told_delta_by_delta_with_no_hole(demo: Processor) -> None:
    session = demo.session()
    demo.turn(session, "storm 20000 40")
    demo.until_idle(session)
    assert [int(delta[:7]) for delta in demo.deltas(session)] == list(range(20000))
    seqs = [event.envelope.seq for event in demo.ears.events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_ids_of_events_messages_and_parts_ascend(demo: Processor) -> None:
    session = demo.session()
    demo.turn(session, "storm 100 20")
    events = demo.until_idle(session)
    ids = [event.id for event in events]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    messages = demo.messages(session)
    order = [m["info"]["id"] for m in messages]
    assert order == sorted(order)
    for message in messages:
        parts = [p["id"] for p in message["parts"]]
        assert parts == sorted(parts)


def test_a_provider_is_told_on_in_text_reasoning_and_tokens(
    model: Processor, provider: Provider
) -> None:
    session = model.session()
    answer = model.turn(session, "reason 10 text 20")
    kinds = [part["type"] for part in answer["parts"]]
    assert kinds == ["step-start", "reasoning", "text", "step-finish"]
    assert answer["info"]["tokens"]["output"] == 30
    assert answer["info"]["finish"] == "stop"
    events = model.until_idle(session)
    assert folded(events) == model.messages(session)
    assert [request["aborted"] for request in provider.requests()] == [False]


def test_a_token_limit_is_a_normal_finish(model: Processor) -> None:
    info = model.turn(model.session(), "length 3")["info"]
    assert info["finish"] == "length"
    assert "error" not in info


def test_many_sessions_work_at_once(model: Processor) -> None:
    sessions = [model.session() for _ in range(20)]
    prompts = [model.prompt(session, "hang 3") for session in sessions]
    for session in sessions:  # none of them ends by itself
        model.until_deltas(session, 3)
    for session, prompt in zip(sessions, prompts, strict=True):
        assert model.ask(Abort(session)) is True
        assert len(model.wait(session, prompt)["parts"][-1]["text"]) > 0


def test_a_second_prompt_waits_for_the_first(model: Processor, provider: Provider) -> None:
    session = model.session()
    first = model.prompt(session, "rate 50 200")
    second = model.prompt(session, "storm 5 40")
    answer = model.wait(session, second)
    assert answer["info"]["parentID"] == second
    events = model.until_idle(session)
    statuses = [e.properties["status"]["type"] for e in events if e.type == "session.status"]
    assert statuses == ["busy", "busy", "idle"], "the session was idle between its two turns"
    shown = [
        (e.properties["info"]["role"], e.properties["info"].get("parentID", ""))
        for e in events
        if e.type == "message.updated"
    ]
    assert shown[0][0] == "user"
    assert ("user", "") in shown[1:3], "the second prompt is not shown before its turn"
    answered = [parent for role, parent in shown if role == "assistant"]
    assert answered == [first] * 3 + [second] * 3
    assert [m["info"]["role"] for m in model.messages(session)].count("assistant") == 2


def test_more_prompts_than_may_wait_are_refused(model: Processor) -> None:
    session = model.session()
    first = model.prompt(session, "rate 50 50000")
    model.until_deltas(session, 1)
    for _ in range(MOST_WAITING):
        model.prompt(session, "storm 1 1")
    with pytest.raises(CommandFailed, match=r"100 prompts of session ses_.* wait"):
        model.prompt(session, "storm 1 1")
    model.ask(Abort(session))
    model.wait(session, first)
    assert model.turn(session, "storm 1 1")["info"]["finish"] == "stop"


def test_an_abort_in_mid_stream_is_done_within_a_second(
    model: Processor, provider: Provider
) -> None:
    session = model.session()
    prompt = model.prompt(session, "rate 50 50000 41")
    queued = model.prompt(session, "storm 5 41")
    model.until_deltas(session, 5)
    assert model.ask(Statuses())[session] == {"type": "busy"}
    assert model.ask(Abort(session)) is True
    events = model.until_idle(session, 2)
    assert [e.type for e in events][-7:] == [
        "session.error",
        "session.status",
        "session.idle",
        "message.part.updated",
        "message.updated",
        "session.status",
        "session.idle",
    ]
    answer = model.wait(session, prompt)
    assert answer["info"]["error"] == {
        "name": "MessageAbortedError",
        "data": {"message": "Aborted"},
    }
    assert answer["parts"][-1]["text"] == "".join(model.deltas(session))
    assert model.wait(session, queued)["info"]["role"] == "user", "a dropped prompt was answered"
    assert session not in model.ask(Statuses())
    aborted = {"prompt": "rate 50 50000 41", "aborted": True}
    provider.wait_for(lambda all_: any(r.items() >= aborted.items() for r in all_))
    assert at_best(lambda: stopped_s(model, "rate 50 50000"), 1) < 1


def stopped_s(model: Processor, text: str) -> float:
    """Return how long it takes until a turn has said that it is stopped."""
    session = model.session()
    model.prompt(session, text)
    model.ears.until(lambda: any(e.type == "session.status" for e in model.heard(session)))
    start = time.monotonic()
    assert model.ask(Abort(session)) is True
    model.until_idle(session, 2)
    return time.monotonic() - start


def test_an_abort_reaches_a_provider_that_is_silent(model: Processor) -> None:
    session = model.session()
    prompt = model.prompt(session, "silent")
    model.ears.until(lambda: any(e.type == "session.status" for e in model.heard(session)))
    assert model.ask(Abort(session)) is True
    assert model.wait(session, prompt)["info"]["error"]["name"] == "MessageAbortedError"
    assert model.wait(session, prompt)["parts"] == []
    assert at_best(lambda: stopped_s(model, "silent"), 1) < 1


def test_an_abort_reaches_a_storm(demo: Processor) -> None:
    session = demo.session()
    prompt = demo.prompt(session, "storm 1000000 40")
    demo.until_deltas(session, 1000)
    assert demo.ask(Abort(session)) is True
    answer = demo.wait(session, prompt)
    # It came before the end of the storm, which goes on for long.
    assert answer["info"]["error"]["name"] == "MessageAbortedError"


def test_an_abort_where_nothing_runs_is_true(demo: Processor) -> None:
    assert demo.ask(Abort(demo.session())) is True


def test_a_prompt_without_reply_is_shown_and_not_answered(demo: Processor) -> None:
    session = demo.session()
    message = demo.prompt(session, "just so you know", noReply=True)
    assert demo.wait(session, message)["info"]["id"] == message
    assert [m["info"]["role"] for m in demo.messages(session)] == ["user"]


def test_text_in_flight_is_read_as_far_as_it_is(model: Processor) -> None:
    session = model.session()
    prompt = model.prompt(session, "hang 7")
    model.until_deltas(session, 7)
    text = model.messages(session)[-1]["parts"][-1]["text"]
    assert text == "".join(model.deltas(session))
    model.ask(Abort(session))
    assert model.wait(session, prompt)["parts"][-1]["text"] == text


def test_heartbeats_go_on_during_a_storm(demo: Processor) -> None:
    session = demo.session()
    heard, last = len(demo.ears.heartbeats), demo.ears.heartbeats[-1]
    prompt = demo.prompt(session, "rate 20000 1000000")
    demo.ears.until(lambda: len(demo.ears.heartbeats) >= heard + 3)
    demo.ask(Abort(session))
    demo.wait(session, prompt)
    told = len(demo.ears.heartbeats)
    demo.ears.until(lambda: len(demo.ears.heartbeats) >= told + 2)
    during, end = demo.ears.heartbeats[heard + 1 : heard + 3], demo.ears.heartbeats[-1]
    # Whenever they are heard: more was said before each, and after it.
    seqs = [one.seq for one in (last, *during, end)]
    assert seqs == sorted(set(seqs))
