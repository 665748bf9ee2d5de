"""Readers of a worker, as far as no socket is needed."""

from gateway.readers import Readers
from gateway.relay import Relay, Verdict
from tests.envelopes import enveloped, instance
from tests.unit.bus.test_ledger import part, status
from tests.unit.relay.test_enter import clone_of, told


def test_one_who_came_while_nothing_was_known_is_told_all_that_a_snapshot_brings():
    """Gateway and processor were both killed: its id is of an epoch nobody has heard of."""
    readers = Readers(Relay(), limit=1)
    reader = readers.open(instance(), "p0epoch:7")
    over = enveloped([part("a", time={"start": 1, "end": 2}), status("idle")])
    readers.relay = clone_of(over, 2)
    entrance = readers.catch_up(reader)
    assert entrance.verdict is Verdict.FOREIGN
    assert len(told(entrance, instance())) == 2
