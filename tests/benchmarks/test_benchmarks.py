"""The benchmarks run, at a size that takes seconds, and notice a text that is not whole."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.child import ROOT
from tests.benchmarks.received import Received

BENCH_S = 200
"""What takes seconds on an idle machine may take minutes on a busy one."""

pytestmark = pytest.mark.timeout(BENCH_S + 20)


def bench(name, *options):
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BENCH_S)


def test_the_bus_benchmark_prints_a_row_for_every_way():
    done = bench("bus", "--events", "2000", "--rounds", "1")
    assert done.stdout.count("\n| weir, ") == 4, done.stderr
    assert "weir, 100 a turn / bare loop: " in done.stdout


def test_the_storm_benchmark_measures_every_reader(tmp_path):
    figures = tmp_path / "figures.json"
    small = ("--rounds", "1", "--deltas", "5000", "--json", str(figures))
    done = bench("storm", "--scenario", "3+2", *small)
    assert "| 3+2 " in done.stdout, done.stderr
    (measured,) = json.loads(figures.read_bytes())["scenarios"]
    assert measured["stalled_open"] == 2
    assert measured["load"]["count"] > 0
    assert measured["rounds"][0]["bytes"] > 5000 * 40


def test_the_proxy_benchmark_measures_both_ways():
    done = bench("proxy", "--megabytes", "20", "--requests", "60", "--rounds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| through weir |" in done.stdout


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
