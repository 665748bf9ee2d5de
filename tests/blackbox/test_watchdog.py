"""The watchdog of `weir up`, over real processes that hang, grow, or stand still with all else."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from acp_client.api.stream import EventStream
from bus.origin import Origin
from tests.blackbox.weir_up import ended, lives, prompt, said, weir_up
from tests.fakes.upstream import upstream
from tests.fakes.wedge.sitecustomize import GROW, WEDGE
from tests.processes import DEADLINE_S, ROOT, wait_until
from tests.reference import fold

WEDGEABLE = {"PYTHONPATH": f"{ROOT / 'tests' / 'fakes' / 'wedge'}:{ROOT}"}
STACK = "in _wedge"


@contextmanager
def hangable(folder, *flags):
    with weir_up(folder, "--hang-limit", "10", *flags, env=WEDGEABLE) as up:
        up.workers(2)
        yield up


def samples(folder, service=None):
    """Return all that the watchdog has written down, or what is of one service."""
    lines = (folder / "state" / "watchdog.ndjson").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [one for one in found if service in (None, one["service"])]


def restarts(folder):
    return [one for one in samples(folder) if "restarted" in one]


def status_of(up, path):
    return up.call("GET", path).status


@pytest.mark.parametrize("how", [WEDGE, signal.SIGSTOP], ids=["wedged", "stopped"])
def test_a_processor_whose_loop_hangs_is_seen_and_restarted(tmp_path, how):
    with hangable(tmp_path) as up:
        session = up.session()
        [pid] = up.pids("processor")
        os.kill(pid, how)
        wait_until(lambda: status_of(up, "/weir/readyz") == 503, what="a 503")
        assert status_of(up, "/weir/livez") == 200
        assert lives(pid)
        blocked = "its event loop has been blocked for"
        reason = up.running.says(f"restarting processor (pid {pid}): {blocked}")
        assert "limit 10 s" in reason
        wait_until(lambda: status_of(up, "/weir/readyz") == 200, what="a new processor")
        assert said(up.prompt(session, "storm 1 9")) == "0000000| "
        assert (STACK in up.output) == (how == WEDGE)
    [restart] = restarts(tmp_path)
    assert restart["service"] == "processor"
    assert restart["pid"] == pid
    assert restart["restarted"] in reason


@pytest.mark.parametrize("how", [WEDGE, signal.SIGSTOP], ids=["wedged", "stopped"])
def test_a_worker_that_hangs_is_replaced_and_no_other(tmp_path, how):
    with hangable(tmp_path) as up:
        [master], before = up.pids("gateway"), up.workers(2)
        os.kill(before[0], how)
        up.running.says(f"restarting a worker of the gateway (pid {before[0]})")
        ended(before[:1])
        after = up.workers(2)
        assert before[1] in after
        assert up.pids("gateway") == [master]
        assert (STACK in up.output) == (how == WEDGE)
        assert said(up.prompt(up.session(), "storm 1 9")) == "0000000| "
    assert [one["pid"] for one in restarts(tmp_path)] == before[:1]


def test_a_gateway_whose_master_hangs_is_restarted(tmp_path):
    with hangable(tmp_path) as up:
        [master], workers = up.pids("gateway"), up.workers(2)
        os.kill(master, signal.SIGSTOP)
        up.running.says(f"restarting gateway (pid {master}): its event loop has been blocked for")
        ended([master, *workers])
        assert said(up.prompt(up.session(), "storm 1 9")) == "0000000| "
        up.workers(2)


def test_a_machine_that_was_suspended_restarts_nothing(tmp_path):
    with hangable(tmp_path, "--hang-limit", "12") as up:
        everybody = [up.running.process.pid, *up.pids("processor"), *up.pids("gateway")]
        everybody += up.workers(2)
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        # Nothing happens that could be waited for: the time itself is what is tested.
        suspended_until = time.monotonic() + 15
        wait_until(lambda: time.monotonic() > suspended_until)
        before = len(samples(tmp_path))
        os.kill(everybody[0], signal.SIGCONT)
        wait_until(lambda: len(samples(tmp_path)) > before, what="a look of the watchdog")
        for pid in everybody[1:]:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: len(samples(tmp_path)) > before + 8, what="more samples")
        assert "restarting" not in up.output
        assert sorted(up.everybody()) == sorted(everybody)


def test_each_second_has_a_sample_of_each_process(tmp_path):
    with weir_up(tmp_path, "--workers", "2") as up:
        workers, [master], [processor] = up.workers(2), up.pids("gateway"), up.pids("processor")

        def whole(one):
            said = [process for process in one["processes"] if "lag_ms" in process]
            calm = all(0 <= one["lag_ms"] < 5000 and one["silent_s"] < 5 for one in said)
            return calm and {process["pid"] for process in said} == {master, *workers}

        gateway = wait_until(
            lambda: next(filter(whole, samples(tmp_path, "gateway")), None), what="a sample"
        )
        wait_until(lambda: len(samples(tmp_path, "processor")) > 3, what="samples")
    assert samples(tmp_path, "processor")[-1]["pid"] == processor
    for process in gateway["processes"]:
        assert 2**20 < process["memory_bytes"] < 2**28
        assert process["fds"] > 3
    for what in ("memory_bytes", "fds"):
        assert gateway[what] == sum(one[what] for one in gateway["processes"])


def test_in_front_of_an_opencode_there_are_samples_too(tmp_path):
    with upstream() as fake, weir_up(tmp_path, "--upstream", fake.url):
        for service in ("processor", "gateway"):
            wait_until(lambda name=service: samples(tmp_path, name), what=f"samples of {service}")


class Reader:
    """Follows a stream across restarts, in a thread of its own."""

    def __init__(self, url):
        self.seen = []
        self._stream = EventStream(Origin.parse(url))
        threading.Thread(target=self._run, daemon=True).start()

    def types_of(self, session):
        return [one["type"] for one in self.seen if one["properties"].get("sessionID") == session]

    def _run(self):
        for event in self._stream:
            self.seen.append(json.loads(event.data)["payload"])


def test_a_worker_over_the_memory_limit_is_restarted_and_its_readers_go_on(tmp_path):
    flags = ["--workers", "1", "--memory-limit", "96M"]
    with weir_up(tmp_path, *flags, env=WEDGEABLE) as up:
        [worker], [master] = up.workers(1), up.pids("gateway")
        reader, session = Reader(up.url), up.session()
        wait_until(lambda: reader.types_of(session), what="an open stream")
        up.call("POST", f"/session/{session}/prompt_async", prompt("rate 100 100000"))
        os.kill(worker, GROW)
        up.running.says(f"restarting a worker of the gateway (pid {worker}): it uses")
        ended([worker])
        before = len(reader.types_of(session))
        wait_until(lambda: len(reader.types_of(session)) > before, what="more of the turn")
        up.patiently("POST", f"/session/{session}/abort")
        wait_until(lambda: "session.idle" in reader.types_of(session), what="its end")
        stored = up.call("GET", f"/session/{session}/message").body
        # One that is stopped is idle twice, and its last words come in between.
        wait_until(lambda: fold(reader.seen).messages_of(session) == stored, what="all of it")
        assert up.pids("gateway") == [master]
    assert "(limit 96 MiB; see --memory-limit)" in restarts(tmp_path)[0]["restarted"]


def test_a_processor_over_the_memory_limit_is_restarted_in_order(tmp_path):
    with weir_up(tmp_path, "--workers", "1", "--memory-limit", "96M", env=WEDGEABLE) as up:
        [processor], session = up.pids("processor"), up.session()
        os.kill(processor, GROW)
        up.running.says(f"processor (pid {processor}) ended with status 0")
        assert said(up.prompt(session, "storm 1 9")) == "0000000| "
    assert [one["pid"] for one in restarts(tmp_path)] == [processor]


def test_restarting_a_gateway_refuses_no_connection(tmp_path):
    with weir_up(tmp_path, "--workers", "2") as up:
        [master], workers = up.pids("gateway"), up.workers(2)
        for pid in (master, *workers):
            os.kill(pid, signal.SIGKILL)
        ended([master, *workers])
        assert up.call("GET", "/weir/livez", timeout_s=DEADLINE_S).status == 200
        assert up.pids("gateway") != [master]


def test_a_service_manager_is_told_that_it_is_ready_and_lives(tmp_path, short_folder):
    path = str(short_folder / "manager")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE_S)
        with weir_up(tmp_path, env={"NOTIFY_SOCKET": path}) as up:
            heard = [manager.recv(4096).decode().split("\n")]
            while ["READY=1"] not in heard or heard[-1] == ["READY=1"]:
                heard.append(manager.recv(4096).decode().split("\n"))
    signs = [words for words in heard if words[0] == "WATCHDOG=1"]
    assert signs
    assert {word for words in signs for word in words if "PID" in word} == {
        f"X_WEIR_PID={up.running.process.pid}"
    }
