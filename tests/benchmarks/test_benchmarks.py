"""The benchmarks run, at a size that takes seconds, and notice a text that is not whole."""

import json
import subprocess
import sys

import pytest

from deploy.bench.received import Received
from tests.benchmarks.child import ROOT

BENCH_S = 200
"""What takes seconds on an idle machine may take minutes on a busy one."""

pytestmark = pytest.mark.timeout(BENCH_S + 20)


def bench(name, *options):
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BENCH_S)


def test_the_bus_benchmark_prints_a_row_for_every_way():
    done = bench("bus", "--events", "2000", "--rounds", "1")
    assert done.stdout.count("\n| weir, ") == 2, done.stderr
    assert done.stdout.count("\n| bare loop") == 2
    assert "weir, 100 a turn / bare loop: " in done.stdout


def peers(figures, *options):
    """Run the benchmark of peers for one round; return its output, and the runs."""
    done = bench("peers", *options, "--rounds", "1", "--json", str(figures))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, [json.loads(line) for line in figures.read_text().splitlines()]


def test_a_storm_is_measured_at_every_reader(tmp_path):
    work = ("--only", "weir", "--work", "storm-3+2", "--deltas", "5000")
    shown, [run] = peers(tmp_path / "figures.json", *work)
    assert "|      |  3+2 |" in shown
    measured = run["storm"]
    assert measured["stalled_open"] == 2
    assert measured["checked"] == 3
    assert measured["load"]["health"]["count"] > 0
    assert measured["bytes"] > 5000 * 40
    assert measured["peak_mb"]["total"] > measured["before_mb"]["total"] > 0


def test_the_delay_of_every_delta_is_measured(tmp_path):
    work = ("--only", "floor", "control", "--work", "steady-5x100", "--seconds", "1")
    _, runs = peers(tmp_path / "figures.json", *work)
    assert [run["peer"] for run in runs] == ["floor", "control"]
    for delays in (run["steady"]["delays"] for run in runs):
        assert (delays["deliveries"], delays["least"]) == (500, 100)
        assert 0 < delays["p50"] <= delays["p99"] <= delays["max"]


def test_the_proxy_benchmark_measures_both_ways():
    done = bench("proxy", "--megabytes", "20", "--requests", "60", "--rounds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| through weir |" in done.stdout


@pytest.mark.benchmark
def test_the_storm_of_an_agent_is_measured_beside_the_demo_model():
    done = bench("agents", "--deltas", "1000", "--rounds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n| an agent, ") == 2


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
INFO = {"id": "msg_1", "sessionID": "ses_1", "role": "assistant", "time": {"created": 1}}
PART = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "type": "text", "text": ""}
DELTA = {"sessionID": "ses_1", "messageID": "msg_1", "partID": "prt_1", "field": "text"}


def chunk(kind, **properties):
    event = json.dumps({"payload": {"type": kind, "properties": properties}}).encode()
    data = b"id: e:1\ndata: " + event + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_text_is_folded_whatever_the_pieces_it_comes_in(size):
    stream = HEAD + chunk("message.updated", sessionID="ses_1", info=INFO)
    stream += chunk("message.part.updated", sessionID="ses_1", part=PART, time=1)
    stream += chunk("message.part.delta", **DELTA, delta="wei") + chunk(
        "message.part.delta", **DELTA, delta="r"
    )
    received = Received()
    for start in range(0, len(stream), size):
        received.feed(stream[start : start + size])
    assert received.text("ses_1") == "weir"
    assert received.frames == 4
