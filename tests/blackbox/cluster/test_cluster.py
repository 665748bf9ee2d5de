"""Two gateways and two processors that share a Redis: nothing is lost, and nothing doubled."""

import os
import signal

import pytest

from tests.blackbox.follower import following
from tests.blackbox.visits import Visits
from tests.blackbox.weir_up import prompt, said
from tests.processes import wait_until
from tests.reference import fold

RATE = "rate 200 1200"


def begin(up, session, text=RATE):
    reply = up.patiently("POST", f"/session/{session}/prompt_async", prompt(text))
    assert reply.status == 204


def over(up, session):
    """The messages of a session, once its turn is over."""

    def ended():
        reply = up.call("GET", f"/session/{session}/message")
        if reply.status in (503, 504):  # of a request that was on its way when the fault came
            return None
        last = reply.body[-1]["info"]
        return last["role"] == "assistant" and "completed" in last["time"] and reply.body

    return wait_until(ended, what="the end of a turn")


def test_readers_of_both_gateways_hold_what_rest_says(shared):
    session = shared.a.session()
    with following(shared.a.url) as here, following(shared.b.url) as there:
        answer = shared.b.prompt(session, "rate 400 200")
        for reader in (here, there):
            reader.until_it_holds(answer)
    assert said(answer).count("|") == 400
    assert over(shared.b, session) == over(shared.a, session)


def test_a_reader_goes_on_at_the_other_gateway_exactly_where_it_was(shared):
    session = shared.a.session()
    reader = Visits(shared.a.url, session=session)
    reader.begin()
    begin(shared.a, session)
    where = [shared.b.url, shared.a.url]
    while not reader.visit(40):
        reader._stream = f"{where[0]}/global/event"
        where.reverse()
    assert set(reader.resumed[1:]) == {True}
    assert fold(reader.payloads).messages_of(session) == over(shared.a, session)


def test_each_processor_gets_the_commands_for_its_sessions(shared):
    first, second = shared.sessions_of_both()
    for up in (shared.a, shared.b):
        listed = [one["id"] for one in up.patiently("GET", "/session?directory=/srv/demo").body]
        assert {first, second} <= set(listed)
        assert len(listed) == len(set(listed))
        for session in (first, second):
            assert up.patiently("GET", f"/session/{session}").body["id"] == session
            assert "hello" in said(up.prompt(session, "hello"))
    missing = shared.b.patiently("GET", "/session/ses_000000000000000000000000")
    assert missing.status == 404


def test_turns_of_all_processors_are_shown_and_aborted_from_any_gateway(shared):
    sessions = shared.sessions_of_both()
    for session in sessions:
        begin(shared.a, session, "rate 1 1000")
    wait_until(
        lambda: (
            set(sessions) <= set(shared.b.call("GET", "/session/status?directory=/srv/demo").body)
        )
    )
    for session in sessions:
        assert shared.b.patiently("POST", f"/session/{session}/abort").body is True
        assert over(shared.a, session)[-1]["info"]["error"]["name"] == "MessageAbortedError"


@pytest.mark.parametrize("fault", ["redis", "bridge", "sleep", "processor"])
def test_a_fault_in_the_middle_of_turns_loses_nothing(shared, fault):
    sessions = shared.sessions_of_both()
    with following(shared.a.url) as here, following(shared.b.url) as there:
        for session in sessions:
            begin(shared.a, session)
        until_all_speak(here, sessions)
        FAULTS[fault](shared)
        for session in sessions:
            *_, answer = over(shared.b, session)
            for reader in (here, there):
                reader.until_it_holds(answer)
            assert said(answer).count("|") == 2400


def test_a_killed_processor_ends_its_turns_and_leaves_the_others(shared):
    sessions = shared.sessions_of_both()
    homes = {session: shared.home(session) for session in sessions}
    with following(shared.a.url) as here, following(shared.b.url) as there:
        for session in sessions:
            begin(shared.a, session)
        until_all_speak(here, sessions)
        [processor] = shared.a.pids("processor")
        os.kill(processor, signal.SIGKILL)
        answers = {session: over(shared.b, session)[-1] for session in sessions}
        for reader in (here, there):
            for answer in answers.values():
                reader.until_it_holds(answer)
    assert len(set(homes.values())) == 2
    ends = sorted("error" in answer["info"] for answer in answers.values())
    assert ends == [False, True]


def until_all_speak(reader, sessions):
    """Read until there is text of each session: a turn that has not begun loses nothing."""
    speaking = set()
    while speaking != set(sessions):
        event = reader.read()
        if event["type"] == "message.part.delta":
            speaking.add(event["properties"]["sessionID"])


def redis_is_killed_and_starts_empty(shared):
    shared.redis.kill()
    for up in (shared.a, shared.b):
        wait_until(lambda up=up: "Redis at redis://" in words(up), what="words of readiness")
    shared.redis.start()


def a_bridge_is_killed(shared):
    *_, bridge = shared.b.pids("bridge")
    os.kill(bridge, signal.SIGKILL)
    wait_until(lambda: shared.b.pids("bridge") not in ([], [bridge]), what="another bridge")


def redis_sleeps(shared):
    with shared.redis.client() as client:
        client.execute_command("DEBUG", "SLEEP", "6")


def a_processor_stands_still_past_its_lease(shared):
    pid = shared.second.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "no sign of life" in words(shared.a), what="words of readiness")
    finally:
        os.kill(pid, signal.SIGCONT)


FAULTS = {
    "redis": redis_is_killed_and_starts_empty,
    "bridge": a_bridge_is_killed,
    "sleep": redis_sleeps,
    "processor": a_processor_stands_still_past_its_lease,
}


def words(up):
    """What readiness says, also of what does not make the gateway unready."""
    report = up.call("GET", "/weir/readyz").body
    return " ".join([*report["reasons"], *(check["reason"] for check in report["checks"])])
