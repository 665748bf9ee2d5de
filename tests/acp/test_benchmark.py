"""The benchmark of ACP agents runs, at a size that takes seconds."""

import json
import subprocess
import sys

import pytest

from tests.opencode.install import OLD_VERSION
from tests.processes import ROOT

pytestmark = [pytest.mark.timeout(900), pytest.mark.benchmark]

TEXTS, DELTAS = 3, 300


def test_the_acp_benchmark_tells_what_each_agent_asks_for(installed, tmp_path):
    installed()
    theirs = f"opencode {installed(OLD_VERSION)}'s own"
    figures = tmp_path / "figures.json"
    words = ["--rounds", "1", "--deltas", str(DELTAS), "--texts", str(TEXTS)]
    words += ["--agent", "weir's, at opencode", "--agent", theirs, "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.acp", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert f"| {theirs} " in done.stdout
    ours, other = json.loads(figures.read_bytes())["measured"]
    assert ours["asked"] == {"requests": 1, "messages": 0, "histories": 0}
    assert other["asked"]["messages"] >= DELTAS
    for one in (ours, other):
        assert one["turns"][0]["missing"] == 0
    assert (ours["turns"][0]["late"], other["turns"][0]["late"] > 0) == (0, True)
