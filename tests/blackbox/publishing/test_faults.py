"""Agents of one's own: their weir or their process is killed, or they send a gigabyte."""

import json
import os
import signal

from tests.blackbox.native import messages_of, stream_of, until_marked
from tests.blackbox.publishing import (
    END,
    WRITES,
    author,
    begin,
    figures,
    last_saved,
    numbers,
    peak_kb,
    raw,
    send,
    text,
)
from tests.blackbox.weir_up import said
from tests.processes import DEADLINE_S, wait_until
from tests.reference import fold


def test_an_author_that_is_killed_leaves_an_error_and_what_was_acknowledged(up, session, tmp_path):
    with author(up, tmp_path, WRITES, "killed", session, "0") as process:
        process.says("saved 500")
        process.process.send_signal(signal.SIGKILL)
        process.process.wait()
        saved = last_saved(process)
    # The agent counts as connected for ten seconds more, unless another process takes its place.
    send(up, "killed", text("x"), epoch=2**50)
    answer = wait_until(
        lambda: [m for m in messages_of(up, session) if "error" in m["info"]], what="the error"
    )[0]
    assert numbers(answer) == list(range(len(numbers(answer))))
    assert len(numbers(answer)) > saved


def test_a_worker_that_is_killed_costs_an_author_nothing(up, session, tmp_path):
    with author(up, tmp_path, WRITES, "worker", session, "20000") as process:
        process.says("saved 2000")
        for worker in up.pids("worker"):
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: len(up.pids("worker")) == 2 and up.answers())
        assert process.process.wait(DEADLINE_S) == 0, process.output
    assert numbers(messages_of(up, session)[-1]) == list(range(20000))


def test_a_turn_goes_on_when_the_processor_is_killed(up, session, tmp_path):
    with stream_of(up, str(tmp_path)) as stream:
        with author(up, tmp_path, WRITES, "processor", session, "20000") as process:
            process.says("saved 2000")
            [processor] = up.pids("processor")
            os.kill(processor, signal.SIGKILL)
            assert process.process.wait(DEADLINE_S) == 0, process.output
        got = fold(until_marked(up, stream, session))
    assert got.messages_of(session) == messages_of(up, session)
    answer = messages_of(up, session)[-1]
    assert numbers(answer) == list(range(20000))
    assert "error" not in answer["info"]


GIGABYTE = 1 << 30
AT_ONCE = 2 << 20
MOST_GROWTH_KB = 20_000


def test_a_line_of_a_gigabyte_is_refused_at_the_bound_and_takes_no_memory(up, session, tmp_path):
    before = {pid: peak_kb(pid, anew=True) for pid in up.pids("worker")}
    rest = [text("whole"), END]
    first, *last = [b"%b\n" % json.dumps(line).encode() for line in [begin(session), *rest]]
    length = len(first) + GIGABYTE + 1 + sum(map(len, last))
    with raw(up, "POST", "/weir/agents/giga", length=length) as live:
        live.write(first)
        live.zeros(AT_ONCE)
        refused = live.until("error")
        assert (refused["line"], refused["message"]) == (
            2,
            "the line is longer than 1048576 bytes",
        )
        live.zeros(GIGABYTE - AT_ONCE)
        live.write(b"\n" + b"".join(last))
        assert live.until_ack(4) == []
    assert said(messages_of(up, session)[-1]) == "whole"
    grown = {pid: peak_kb(pid) - before[pid] for pid in before}
    assert max(grown.values()) < MOST_GROWTH_KB, grown


def test_agents_are_counted_and_what_waits_for_the_store_too(up, session):
    send(up, "counted", begin(session), b"no JSON", text("late", "u"), epoch=5, lease=3600)
    wanted = {
        **{
            f'weir_agent_lines_refused_total{{reason="{why}"}}': 1
            for why in ("malformed", "no_turn")
        },
        "weir_agent_lines_total": 3,
    }
    wait_until(lambda: all(figures(up).get(name, 0) >= least for name, least in wanted.items()))

    def of_the_bus(what):
        found = figures(up).items()
        return max((value for name, value in found if name.startswith(what)), default=0)

    wait_until(lambda: of_the_bus("weir_agent_turns") >= 1)
    wait_until(lambda: of_the_bus("weir_agents_connected") >= 1)
    [processor] = up.pids("processor")
    with raw(up, "POST", "/weir/agents/counted?epoch=5", chunked=True) as live:
        os.kill(processor, signal.SIGSTOP)
        try:
            live.send_line(text("x" * 1000))
            wait_until(lambda: figures(up)["weir_agent_unacknowledged_bytes"] > 1000)
        finally:
            os.kill(processor, signal.SIGCONT)
        live.send_line(END)
        assert live.until_ack(5) == []
    wait_until(lambda: figures(up)["weir_agent_unacknowledged_bytes"] == 0)
