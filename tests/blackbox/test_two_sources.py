"""One gateway, fed by two processors: each order is kept, and a cut loses nothing of either."""

import pytest

from tests.blackbox.follower import stopped
from tests.blackbox.processor_driver import two_processors
from tests.blackbox.visits import Visits
from tests.http_client import call
from tests.processes import free_port, running, wait_until
from tests.reference import fold

DELTAS = 400


@pytest.fixture
def both(short_folder):
    """Two native processors, and the URL of a gateway on both buses."""
    with two_processors(short_folder) as (first, second):
        port = free_port()
        flags = ["--bus", f"{first.bus},{second.bus}", "--port", str(port), "--workers", "2"]
        log = short_folder / "gateway.log"
        with running("-m", "gateway", *flags, log=log, cwd=short_folder) as process:
            joined = "its current state is loaded"
            wait_until(lambda: process.output.count(joined) >= 4, what="two workers on two buses")
            yield f"http://127.0.0.1:{port}", first, second


def test_a_reader_that_is_cut_again_and_again_holds_all_of_both(both):
    url, *processors = both
    turns = []
    for one in processors:
        session = one.session()
        turns.append((one, session, one.prompt(session, f"rate 400 {DELTAS}")))
    reader = Visits(url, turns=2)
    while not reader.visit(20):
        pass
    assert reader.resumed == [False] + [True] * (len(reader.resumed) - 1)
    told = fold(reader.payloads)
    for one, session, message in turns:
        answer = one.wait(session, message)
        assert told.messages_of(session)[-1] == answer
        assert answer["parts"][-2]["text"].count("|") == 2 * DELTAS  # a number and a time each


def readiness(url):
    return call("GET", f"{url}/weir/readyz")


def answering(url):
    """What the status says of each bus."""
    told = call("GET", f"{url}/weir/status").body["processors"]
    return {row["bus"]: row["answering"] for row in told}


def test_a_second_processor_that_stands_still_is_told_by_its_bus_until_it_goes_on(both):
    url, first, second = both
    wait_until(lambda: readiness(url).status == 200, what="readiness")
    well = {first.bus: True, second.bus: True}
    wait_until(lambda: answering(url) == well, what="both, of every worker")

    def told():
        reply = readiness(url)
        named = [reason for reason in reply.body["reasons"] if second.bus in reason]
        return reply.status == 503 and named

    with stopped(second):
        [reason] = wait_until(told, what="a reason that names the bus")
        assert reason.startswith(f"bus {second.bus}: the processor has not answered for ")
        assert not any(first.bus in reason for reason in readiness(url).body["reasons"])
        gone = {first.bus: True, second.bus: False}
        wait_until(lambda: answering(url) == gone, what="the same of every worker")
    wait_until(lambda: readiness(url).status == 200, what="readiness")
