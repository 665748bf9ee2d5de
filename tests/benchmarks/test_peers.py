"""What the benchmark of peers makes of its runs, without any server."""

import pytest

from tests.benchmarks.peers import result, work
from tests.benchmarks.peers.idle import Idle
from tests.benchmarks.peers.measuring import Sizes
from tests.benchmarks.peers.runs import Run, Runs
from tests.benchmarks.peers.targets import targets

SIZES = Sizes(rounds=2, deltas=10, seconds=1, idle_s=1, storm_s=1, bus_events=1)


def idle(peer, number, kb):
    return Run(peer, "idle-1000", number, 0.0, idle=Idle(kb, 0.0, 0.0, 0.0, 0.0, 0.0))


def verdicts(*runs):
    return {target.what: target.row[1:] for target in targets(Runs(runs))}


def test_a_target_is_held_against_the_median_of_the_rounds():
    what = "idle, KB a reader"
    assert verdicts(*(idle("weir", n, kb) for n, kb in enumerate((7, 8, 90))))[what] == [
        "8.00 (7.00 to 90.00)",
        "≤ 8",
        "reached",
    ]
    assert verdicts(idle("weir", 1, 8.1))[what][2] == "NOT REACHED"
    assert verdicts(idle("nchan", 1, 8.1))[what][2] == "not measured"


def test_a_ratio_is_taken_within_a_round():
    runs = Runs([idle("a", 1, 10), idle("b", 1, 5), idle("a", 2, 300), idle("b", 2, 100)])
    found = runs.ratio(("a", "idle-1000"), ("b", "idle-1000"), lambda run: run.idle.kb)
    assert (found.least, found.most, found.count) == (2, 3, 2)


def test_a_server_that_cannot_be_had_is_named():
    missing = Run("nchan", "idle-1000", 1, 0.0, failed="not installed", is_missing=True)
    text = result.text(Runs([missing, idle("weir", 1, 5)]), ["nchan", "weir"], SIZES)
    assert "MISSING: not installed" in text
    assert "- nchan, idle-1000: not installed" in text


def test_work_has_a_name_that_says_its_size():
    found = work.chosen(["stalled", "steady-7x9", "idle-20"], quick=False)
    assert found == [
        work.Work("storm-1+50", "storm", 1, stalled=50),
        work.Work("steady-7x9", "steady", 7, per_second=9),
        work.Work("idle-20", "idle", 20),
    ]
    for bad in ("storm", "x"), ("storms",), ("steady-5",):
        with pytest.raises(ValueError, match=bad[-1]):
            work.chosen(list(bad), quick=False)
