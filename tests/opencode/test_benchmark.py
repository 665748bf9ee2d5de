"""The benchmark of peers runs at a real opencode, at a size that takes seconds."""

import json
import subprocess
import sys

import pytest

from tests.opencode.install import VERSION
from tests.processes import ROOT

pytestmark = [pytest.mark.timeout(900), pytest.mark.benchmark]


def test_opencode_is_measured_alone_and_behind_weir(installed, tmp_path):
    installed(VERSION)
    figures = tmp_path / "figures.json"
    words = ("--rounds", "1", "--deltas", "500", "--seconds", "1", "--only", "opencode", "relay")
    words += ("--work", "storm-2+2", "steady-1x100", "--json", str(figures))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.peers", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert "| opencode " in done.stdout, done.stderr
    runs = [json.loads(line) for line in figures.read_text().splitlines()]
    storms, steady = runs[:2], runs[2:]
    for run in (storms, steady):
        assert [one["peer"] for one in run] == ["relay", "opencode"]
    for measured in (one["storm"] for one in storms):
        assert measured["stalled_open"] == 2
        assert measured["load"]["list"]["count"] > 0
    for delays in (one["steady"]["delays"] for one in steady):
        assert delays["p50"] <= delays["p99"]
