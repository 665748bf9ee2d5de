"""A worker that starts beside a busy processor: its readers get everything, if later."""

import pytest

from bus.commands import Abort
from tests.blackbox.follower import following, gateway, stopped
from tests.blackbox.processor_driver import processor
from tests.blackbox.slow_bus import slow_bus

LATE_S = 1.5
IN_FLIGHT = "rate 20 1000000"
"""The worker starts in the midst of it, and it goes on until it is stopped."""


@pytest.fixture
def one(short_folder):
    with processor(short_folder) as running:
        yield running


def test_a_worker_waits_for_a_snapshot_that_comes_late(one, short_folder):
    session = one.session()
    prompt = one.prompt(session, IN_FLIGHT)
    one.until_deltas(session, 1)
    (short_folder / "slow").mkdir()
    with (
        slow_bus(short_folder / "slow", one.bus, LATE_S) as bus,
        gateway(short_folder, bus) as (process, url),
        following(url) as reader,
    ):
        one.ask(Abort(session))
        reader.until_it_holds(one.wait(session, prompt))
        assert reader.state.messages_of(session) == one.messages(session)
        assert "sends no snapshot" not in process.output


def test_who_reads_while_a_processor_stands_still_at_the_start_of_a_worker_gets_all(
    one, short_folder
):
    session = one.session()
    prompt = one.prompt(session, IN_FLIGHT)
    one.until_deltas(session, 1)
    with stopped(one) as go_on, gateway(short_folder, one.bus) as (process, url):
        with following(url) as reader:
            waited = reader.until_beats(2)
            go_on()
            one.ask(Abort(session))
            reader.until_it_holds(one.wait(session, prompt))
        assert waited == []
        assert reader.state.messages_of(session) == one.messages(session)
        assert process.output.count("its current state is loaded") == 1
        assert "sends no snapshot" not in process.output
