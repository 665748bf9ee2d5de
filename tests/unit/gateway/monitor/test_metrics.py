"""The page for Prometheus, read by Prometheus' own parser."""

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse

from bus.transport.source_state import SourceCounts
from gateway.monitor import metrics
from gateway.monitor.checkup import Diagnosis, ProcessorStatus
from gateway.monitor.exposition import by, counter, exposition, gauge
from gateway.monitor.survey import Survey
from gateway.streams.counts import Counts, Sent
from tests.fakes.posts import post_of, source_of

BUS = "ipc:///bus"
OF_BUS = (("bus", BUS),)
UNITS = ("_total", "_seconds", "_bytes", "_ratio", "_info")
PLAIN = {
    *("weir_ready", "weir_readers", "weir_workers", "weir_upstream_connected"),
    *(
        "weir_proxy_websockets",
        "weir_proxy_requests_in_flight",
        "weir_log_entries",
        "weir_ledger_entries",
    ),
    *("weir_processor_answering", "weir_agents_connected", "weir_agent_turns"),
}


def health_of(upstream=None, ready=True, bus=BUS):
    processor = ProcessorStatus(bus, answering=ready, age_s=0.5, upstream=upstream)
    return Diagnosis(ready, [], [], upstream, [processor])


def page(posts, counts=None, health=None):
    return parsed(exposition(families(posts, counts, health)))


def families(posts, counts=None, health=None):
    survey = Survey(
        version="0.1",
        seat=0,
        at=100.0,
        posts=posts,
        counts=counts or Counts(),
        health=health or health_of(),
    )
    return metrics.families(survey)


def parsed(data):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(data.decode())
        for sample in family.samples
    }


@given(st.dictionaries(st.text(), st.integers(0, 2**53)), st.text())
def test_any_label_and_any_help_survive_the_format(values, words):
    data = exposition([counter("weir_x_total", words, by("label", values))])
    samples = parsed(data)
    assert samples == {("weir_x_total", (("label", key),)): value for key, value in values.items()}


@given(st.floats(allow_nan=False), st.integers(-(2**53), 2**53))
def test_numbers_keep_their_value(real, whole):
    data = exposition([gauge("weir_a", "A.", real), gauge("weir_b", "B.", whole)])
    assert parsed(data) == {("weir_a", ()): real, ("weir_b", ()): float(whole)}


def test_every_metric_is_named_and_typed_by_the_conventions():
    upstream = {"connected": True, "frame_age_s": 1.5}
    data = exposition(families([post_of()], health=health_of(upstream))).decode()
    types = dict(re.findall(r"# TYPE (\S+) (\S+)", data))
    assert len(types) > 25
    assert [name for name in types if data.count(f"# HELP {name} ") != 1] == []
    for name, kind in types.items():
        assert name.startswith("weir_")
        assert (kind == "counter") == name.endswith("_total")
        assert name.endswith(UNITS) or name in PLAIN, name


def test_readers_are_summed_and_loops_are_not():
    posts = [
        post_of(worker=0, readers=3, loop_lag_s=0.25),
        post_of(worker=1, readers=4, loop_lag_s=0.5, in_flight=2),
    ]
    found = page(posts)
    assert found["weir_readers", ()] == 7
    assert found["weir_workers", ()] == 2
    assert found["weir_loop_lag_seconds", (("worker", "0"),)] == 0.25
    assert found["weir_loop_lag_seconds", (("worker", "1"),)] == 0.5
    assert found["weir_proxy_requests_in_flight", ()] == 2


def test_counts_are_those_of_all_workers_that_ever_were():
    counts = Counts(
        sent=Sent(events=9, frames=4, merged=3, superseded=2, bytes=700, saved_bytes=80),
        sources={"s": SourceCounts(gaps=1, lost=5)},
        evictions={"stalled": 2},
        resumes={"exact": 3, "too_old": 1},
        requests={"2xx": 10},
    )
    found = page([], counts)
    assert found["weir_stream_events_total", ()] == 9
    assert found["weir_stream_frames_total", ()] == 4
    assert found["weir_stream_merged_events_total", ()] == 3
    assert found["weir_stream_superseded_events_total", ()] == 2
    assert found["weir_stream_bytes_total", ()] == 700
    assert found["weir_stream_saved_bytes_total", ()] == 80
    assert found["weir_gaps_total", (("source", "s"),)] == 1
    assert found["weir_events_lost_total", (("source", "s"),)] == 5
    assert found["weir_evictions_total", (("cause", "stalled"),)] == 2
    assert found["weir_resumes_total", (("verdict", "too_old"),)] == 1
    assert found["weir_proxy_requests_total", (("status", "2xx"),)] == 10


def test_what_every_worker_gets_is_told_for_each_and_goes_on_after_its_end():
    one = post_of(worker=0, counts=Counts(received=5), carried=Counts(received=100))
    found = page([one, post_of(worker=1, counts=Counts(received=7))])
    assert found["weir_events_received_total", (("worker", "0"),)] == 105
    assert found["weir_events_received_total", (("worker", "1"),)] == 7


def test_how_old_it_is_what_a_worker_says_is_told():
    found = page([post_of(beat=99.5), post_of(worker=1, beat=58.0)])
    assert found["weir_worker_age_seconds", (("worker", "0"),)] == 0.5
    assert found["weir_worker_age_seconds", (("worker", "1"),)] == 42


def test_a_source_is_as_old_as_it_is_to_the_worker_that_hears_it_least():
    posts = [
        post_of(worker=0, sources=[source_of(heartbeat_age_s=0.2)]),
        post_of(worker=1, sources=[source_of(worker=1, heartbeat_age_s=7.5)]),
    ]
    assert page(posts)["weir_heartbeat_age_seconds", (("source", "s"),)] == 7.5


def test_the_upstream_is_told_of_where_there_is_one_and_goes_on_aging():
    assert not any(name.startswith("weir_upstream") for name, _ in page([]))
    upstream = {"connected": False, "frame_age_s": 12.5}
    found = page([], health=health_of(upstream, ready=False))
    assert found["weir_ready", ()] == 0
    assert found["weir_upstream_connected", OF_BUS] == 0
    assert found["weir_upstream_frame_age_seconds", OF_BUS] == 13.0


def test_every_processor_is_told_of_by_its_bus():
    health = health_of()
    health.processors.extend(health_of(ready=False, bus="tcp://localhost:5000").processors)
    found = page([], health=health)
    assert found["weir_processor_answering", OF_BUS] == 1
    assert found["weir_processor_answering", (("bus", "tcp://localhost:5000"),)] == 0
