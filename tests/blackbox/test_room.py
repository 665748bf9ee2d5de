"""More connections than a worker has room for: readers are refused in words, health answers."""

import re

import pytest

from tests.blackbox.source import source
from tests.http_client import call
from tests.processes import free_port, running, wait_until
from tests.raw_client import RawClient

FILES = 256
WITH_FEW_FILES = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""
LOW = 64


@pytest.fixture
def few_files(short_folder):
    """A gateway whose worker may have few files open, and how many streams it says it holds."""
    port = free_port()
    with source(short_folder / "bus") as bus:
        flags = ["--bus", bus.url, "--port", str(port), "--workers", "1"]
        log = short_folder / "gateway.log"
        with running("-c", WITH_FEW_FILES, *flags, log=log, cwd=short_folder) as process:
            bus.wait_for_workers(1)
            said = process.says("a worker holds at most")
            yield f"http://127.0.0.1:{port}", int(re.search(r"at most (\d+)", said)[1]), process


def opened(url, count):
    """Ask for so many streams at once."""
    clients = [RawClient(url) for _ in range(count)]
    for client in clients:
        client.get("/global/event")
    return clients


def statuses(clients):
    return [int(client.head()[0].split()[1]) for client in clients]


def test_readers_past_the_limit_of_open_files_are_refused_and_health_answers(few_files):
    url, streams, process = few_files
    clients = opened(url, FILES + 50)
    assert sorted(statuses(clients)) == [200] * streams + [503] * (FILES + 50 - streams)
    assert call("GET", f"{url}/global/health").status == 200
    assert "Too many open files" not in process.output
    for client in clients:
        client.socket.close()
    wait_until(lambda: statuses(opened(url, 1)) == [200], what="a free place")


def test_the_limit_of_open_files_is_raised_as_far_as_need_be(short_folder):
    soft = WITH_FEW_FILES.replace(
        f"({FILES}, {FILES})", f"({LOW}, resource.getrlimit(resource.RLIMIT_NOFILE)[1])"
    )
    port = free_port()
    with source(short_folder / "bus") as bus:
        flags = ["--bus", bus.url, "--port", str(port), "--workers", "1", "--max-readers", "200"]
        log = short_folder / "gateway.log"
        with running("-c", soft, *flags, log=log, cwd=short_folder) as process:
            bus.wait_for_workers(1)
            process.says("Listening at")
            clients = opened(f"http://127.0.0.1:{port}", 200)
            assert set(statuses(clients)) == {200}
            assert "a worker holds at most" not in process.output
            for client in clients:
                client.socket.close()


def test_the_connection_of_one_who_is_refused_takes_no_room(gateway):
    weir = gateway("--max-readers", "1")
    first, *refused = opened(weir.url, 20)
    assert first.head()[0].split()[1] == "200"
    for client in refused:
        status, _, body = client.json()
        assert (status, body["name"]) == (503, "ServiceUnavailableError")
        assert client.rest() == (b"", "end")
        client.socket.close()
    first.socket.close()
