"""The relay's benchmark runs, at a size that takes seconds."""

import json
import subprocess
import sys

import pytest

from tests.opencode.install import VERSION
from tests.processes import ROOT

pytestmark = [pytest.mark.timeout(400), pytest.mark.benchmark]


def test_the_relay_benchmark_measures_opencode_alone_and_behind_weir(installed, tmp_path):
    installed(VERSION)
    figures = tmp_path / "figures.json"
    words = ("--rounds", "1", "--deltas", "500", "--scenario", "2+2", "--delays", "100")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.relay", *words, "--json", str(figures)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert "| 2+2 opencode alone " in done.stdout, done.stderr
    result = json.loads(figures.read_bytes())
    assert [one["target"] for one in result["measured"]] == ["opencode alone", "behind weir"]
    for measured in result["measured"]:
        assert measured["stalled_open"] == 2
        assert measured["list"]["count"] > 0
    assert all(p50 <= p99 for p50, p99 in result["delays_ms"].values())
