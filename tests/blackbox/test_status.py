"""Status, metrics and readiness of a whole deployment: true of all workers, whoever answers."""

import http.client
import os
import re
import resource
import signal
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.blackbox.drain import drains
from tests.blackbox.weir_up import ended, prompt, said, weir_up
from tests.processes import DEADLINE_S, at_best, wait_until
from tests.sse_client import SseClient

BYTES = ("weir_stream_bytes_total",)
TOLD_S = 3.0
PAGE = "text/plain; version=0.0.4; charset=utf-8"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A deployment that the tests share; those that hurt it wait until it is well again."""
    with weir_up(
        tmp_path_factory.mktemp("status"), "--workers", "2", "--hang-limit", "300"
    ) as shared:
        yield shared


def status(up, query=""):
    reply = up.call("GET", f"/weir/status{query}")
    assert reply.status == 200, reply
    return reply.body


def by_answerer(up, workers=2):
    """Return what each of the workers answers."""
    found = {}

    def all_have():
        answer = status(up)
        found[answer["answered_by"]] = answer
        return len(found) == workers

    wait_until(all_have, what="an answer of every worker")
    return found


def metrics(up):
    parts = urlsplit(up.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    assert (response.status, response.headers["Content-Type"]) == (200, PAGE)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(page)
        for sample in family.samples
    }


def readiness(up):
    return up.call("GET", "/weir/readyz")


def readiness_of_each(up):
    return [answer["ready"] for answer in by_answerer(up).values()]


def ready(up):
    return readiness(up).status == 200


@contextmanager
def stopped(pid):
    """Stop a process as a wedged loop would, until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield time.monotonic()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_readers_of_all_workers_are_listed_whichever_answers(up):
    up.workers(2)
    with ExitStack() as stack:
        opened = []

        def both_have_readers():
            opened.extend(stack.enter_context(drains(up.url, 4)))
            found = status(up)
            return len({row["worker"] for row in found["readers"]}) == 2

        wait_until(both_have_readers, what="readers at both workers")

        def all_told():
            answers = by_answerer(up).values()
            heard = (worker["answering"] for answer in answers for worker in answer["workers"])
            told = (len(answer["readers"]) == len(opened) for answer in answers)
            return all(told) and all(heard) and answers

        for answer in wait_until(all_told, what="all readers in every answer"):
            assert [w["worker"] for w in answer["workers"]] == [0, 1]
            assert sorted(w["pid"] for w in answer["workers"]) == sorted(up.workers(2))
            assert sum(w["readers"] for w in answer["workers"]) == len(opened)
            assert {row["endpoint"] for row in answer["readers"]} == {"/global/event"}
        wait_until(lambda: all(answer["ready"] for answer in by_answerer(up).values()))
        short = status(up, "?readers=3")
        assert (len(short["readers"]), short["more_readers"]) == (3, len(opened) - 3)
    wait_until(lambda: status(up)["readers"] == [], what="no readers")


def test_a_reader_is_listed_with_its_filter_what_it_was_sent_and_whether_it_resumed(up):
    session = up.session("/srv/filtered")
    path = f"/event?directory=/srv/filtered&session={session}&superseded=keep"
    with drains(up.url, 1, path) as [reader]:
        up.prompt(session, "storm 50 40")
        wait_until(lambda: b'"session.idle"' in reader.data, what="the whole turn")
        row = wait_until(lambda: row_of(up, "/event", reader.size), what="its row")
        assert row["filter"] == {
            "directory": "/srv/filtered",
            "workspace": None,
            "sessions": [session],
            "more_sessions": 0,
            "keep_superseded": True,
        }
        assert row["lag"] == {"events": 0, "bytes": 0, "ms": 0, "fell_off": False}
        assert (row["resumed"], row["stalled_s"]) == (False, 0.0)
        assert row["sent"]["events"] > 50
        last = re.findall(rb"id: (\S+)", reader.data)[-1].decode()
    with drains(up.url, 1, f"{path}&since={last}") as [reader]:
        row = wait_until(lambda: row_of(up, "/event", reader.size), what="its row")
        assert row["resumed"] is True


def row_of(up, endpoint, size):
    """The row of a reader at `endpoint` that was sent so many bytes, and has taken them."""
    rows = [row for row in status(up)["readers"] if row["endpoint"] == endpoint]
    at_rest = (row for row in rows if not row["lag"]["events"] and not row["stalled_s"])
    return next((row for row in at_rest if row["sent"]["bytes"] == size > 0), None)


def test_a_reader_that_reads_nothing_is_told_with_its_lag(up):
    with SseClient(f"{up.url}/global/event", receive_buffer=4096):
        up.prompt(up.session(), "storm 30000 400")

        def stalled():
            rows = status(up)["readers"]
            return bool(rows) and rows[0]["stalled_s"] > 1 and rows[0]

        row = wait_until(stalled, what="a stalled reader")
        assert row["lag"]["events"] > 1000
        assert row["lag"]["bytes"] > 100 * row["lag"]["events"]
        assert row["lag"]["ms"] > 500
    wait_until(lambda: status(up)["readers"] == [], what="no readers")


@pytest.mark.parametrize("query", ["?readers=101", "?readers=-1", "?readers=many"])
def test_a_number_of_readers_that_cannot_be_is_refused(up, query):
    reply = up.call("GET", f"/weir/status{query}")
    assert reply.status == 400
    assert "from 0 to 100" in reply.body["data"]["message"]


def test_what_the_metrics_count_is_what_readers_got(up):
    before = metrics(up)
    session = up.session()
    with drains(up.url, 10) as readers:
        up.prompt(session, "storm 3000 40")

        wait_until(lambda: all(b"session.idle" in reader.data for reader in readers))

        def alike():
            """What was read, and the metrics of that moment: a heartbeat may be on its way."""
            read = [reader.data for reader in readers]
            found = metrics(up)
            counted = found[BYTES] - before[BYTES]
            return counted == sum(map(len, read)) and (read, found)

        read, found = wait_until(alike, what="as many bytes counted as were read")

        def grown(name):
            return found[(name,)] - before[(name,)]

        frames = sum(data.count(b"\n\n") for data in read)
        own = grown("weir_stream_own_frames_total")
        assert own >= 10
        upserts = grown("weir_stream_upserts_total")
        assert grown("weir_stream_frames_total") + own + upserts == frames
        events = grown("weir_stream_events_total")
        assert events >= 10 * 3000
        merged = grown("weir_stream_merged_events_total")
        superseded = grown("weir_stream_superseded_events_total")
        assert events == grown("weir_stream_frames_total") + merged + superseded
        assert merged + superseded > 0
        assert grown("weir_stream_saved_bytes_total") > 100 * (merged + superseded)
        assert found[("weir_readers",)] == 10
        assert grown("weir_streams_opened_total") == 10
        wait_until(lambda: min(received(up)) >= 3000, what="all events at both workers")


def received(up):
    """What each worker got; it says so once a second."""
    counts = [v for name, v in metrics(up).items() if name[0] == "weir_events_received_total"]
    assert len(counts) == 2
    return counts


def silence_told(up):
    """What a worker says of readiness, once that the processor is silent is among its reasons."""
    told = readiness(up).body
    return told if any("received nothing from" in reason for reason in told["reasons"]) else None


def test_a_wedged_processor_is_told_within_three_seconds_and_forgiven_at_once(up):
    [pid] = up.pids("processor")

    def told_s():
        wait_until(lambda: ready(up), what="readiness")
        with stopped(pid) as since:
            wait_until(lambda: not ready(up), what="a 503")
            return time.monotonic() - since

    assert at_best(told_s, TOLD_S) < TOLD_S
    wait_until(lambda: all(readiness_of_each(up)), what="readiness of every worker")
    with stopped(pid):
        # Another worker has heard the last heartbeat a little later.
        wait_until(lambda: not any(readiness_of_each(up)), what="a 503 of every worker")
        told = wait_until(lambda: silence_told(up), what="the reason")
        assert told["ready"] is False
        [check] = [c for c in told["checks"] if c["name"] == "heartbeat_age_s"]
        assert check["ok"] is False
        assert check["value"] > check["threshold"] == 2.5
        assert up.call("GET", "/weir/livez").body == {"alive": True}
        assert up.call("GET", "/global/health").status == 200
        assert status(up)["ready"] is False
        assert metrics(up)[("weir_ready",)] == 0
    wait_until(lambda: ready(up), what="a 200")
    assert said(up.prompt(up.session(), "storm 1 9")) == "0000000| "


def test_a_store_that_cannot_be_written_is_told_until_it_can(up):
    wait_until(lambda: ready(up), what="readiness")
    [pid] = up.pids("processor")
    session = up.session()
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        reply = up.call("POST", f"/session/{session}/message", prompt("storm 1 9"))
        assert "the store failed" in reply.body["data"]["message"]
        wait_until(
            lambda: all("the store failed" in reasons_of_others(up) for _ in range(8)),
            what="the reason, from every worker",
        )
        assert up.call("GET", "/weir/livez").status == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    wait_until(lambda: all(ready(up) for _ in range(8)), what="readiness")
    assert said(up.prompt(session, "storm 1 9")) == "0000000| "


def test_a_wedged_worker_is_told_by_the_others_without_waiting_for_it(up):
    wait_until(lambda: ready(up), what="readiness")
    pid = max(up.workers(2))
    with stopped(pid):
        words = f"(pid {pid}) has been blocked"
        wait_until(lambda: words in reasons_of_others(up), what="a reason")

        def told_s():
            began = time.monotonic()
            assert worker_of(up, pid)["age_s"] > 2
            return time.monotonic() - began

        assert at_best(told_s, 2) < 2
        wait_until(lambda: not worker_of(up, pid)["answering"], what="answering: false")
    wait_until(lambda: ready(up) and worker_of(up, pid)["answering"], what="readiness")


def reasons_of_others(up):
    """What is wrong; the stopped worker may have taken the connection with it."""
    try:
        return "".join(up.call("GET", "/weir/readyz", timeout_s=1).body["reasons"])
    except TimeoutError:
        return ""


def worker_of(up, pid):
    return next(w for w in status(up)["workers"] if w["pid"] == pid)


def test_counts_never_step_back_when_a_worker_is_killed(up):
    session = up.session()
    with drains(up.url, 6):
        up.prompt(session, "storm 500 40")
        wait_until(lambda: metrics(up)[("weir_stream_events_total",)] > 3000)
        before = metrics(up)
        most = max(status(up)["workers"], key=lambda one: one["readers"])
        victim, seat = most["pid"], most["worker"]
        os.kill(victim, signal.SIGKILL)
        ended([victim])
        seen = [metrics(up) for _ in range(5)]
        wait_until(lambda: victim not in up.workers(2), what="another worker")
        wait_until(lambda: {w["worker"] for w in status(up)["workers"]} == {0, 1})
        seen.append(metrics(up))
        for name, value in before.items():
            if name[0].endswith("_total"):
                later = [found[name] for found in seen if name in found]
                assert [v for v in later if v < value] == [], name
        wait_until(lambda: every_stream_is_told(metrics(up)), what="streams that add up")
    assert metrics(up)[KILLED] > before[KILLED]

    def succeeded():
        workers = status(up)["workers"]
        return next(w for w in workers if w["worker"] == seat)["pid"] != victim

    wait_until(succeeded, what="a worker in the place of the one that was killed")


KILLED = ("weir_evictions_total", ("cause", "killed"))
DRAINED = ("weir_evictions_total", ("cause", "drained"))


def every_stream_is_told(found):
    """Whether each stream that was opened is open, or is counted by why it has ended."""
    ended = sum(value for name, value in found.items() if name[0] == "weir_evictions_total")
    return found[("weir_streams_opened_total",)] == found[("weir_readers",)] + ended


def test_a_storm_leaves_the_log_quiet(up):
    before = len(up.output.splitlines())
    with drains(up.url, 3) as readers:
        up.prompt(up.session(), "storm 5000 40")
        wait_until(lambda: all(b"session.idle" in reader.data for reader in readers))
    said_since = up.output.splitlines()[before:]
    assert len(said_since) < 10, said_since
    assert not re.search("delta|0000001", "\n".join(said_since))


def test_probes_do_not_come_from_a_cache(up):
    for path in ("/weir/livez", "/weir/readyz", "/weir/status"):
        assert up.call("GET", path).headers["Cache-Control"] == "no-store"


def test_after_a_reload_the_new_workers_are_listed_and_the_counts_go_on(up):
    session = up.session()
    up.prompt(session, "storm 5 40")
    before, old = metrics(up), set(up.workers(2))
    [master] = up.pids("gateway")

    def renewed():
        try:
            workers = status(up)["workers"]
        except OSError:
            return False
        return len(workers) == 2 and not old & {w["pid"] for w in workers}

    with drains(up.url, 20):
        os.kill(master, signal.SIGHUP)
        wait_until(renewed, what="two new workers, and no old one")
    wait_until(lambda: ready(up), what="readiness")
    wait_until(lambda: every_stream_is_told(metrics(up)), what="streams that add up")
    after = metrics(up)
    assert after[DRAINED] == before[DRAINED] + 20
    assert after[("weir_workers",)] == 2
    assert after[("weir_streams_opened_total",)] >= before[("weir_streams_opened_total",)]
    assert after[("weir_stream_bytes_total",)] >= before[("weir_stream_bytes_total",)]
