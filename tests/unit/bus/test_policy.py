"""Every type has one declared policy; what nobody declared is a barrier."""

from bus.events import Policy, declared, policy_of
from tests import recorded


def test_only_deltas_append_and_only_snapshots_of_parts_supersede():
    table = declared()
    appended = {name for name, policy in table.items() if policy is Policy.APPEND}
    latest = {name for name, policy in table.items() if policy is Policy.LATEST}
    assert appended == {"message.part.delta"}
    assert latest == {"message.part.updated"}


def test_every_recorded_type_is_declared():
    seen = {event["type"] for name in recorded.scenarios() for event in recorded.events(name)}
    assert seen <= set(declared())


def test_an_unknown_type_is_a_barrier():
    assert policy_of("tomorrow.came") is Policy.BARRIER


def test_the_table_is_a_copy():
    declared().clear()
    assert declared()
