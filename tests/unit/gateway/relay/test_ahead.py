"""For how long a reader waits whose place this worker has yet to hear of."""

import pytest

from gateway.relay import Relay, patience_s
from gateway.relay.ahead import LAGGING_S, UNKNOWN_EPOCH_S
from tests.envelopes import enveloped
from tests.events import delta, part
from tests.unit.gateway.relay.entering import relay_of

HERE = relay_of(enveloped([part("a"), delta("b")]))
LATER = f"{10**15:x}0000"
"""An epoch that begins after all others."""


@pytest.mark.parametrize(
    ("relay", "last_id", "wait_s"),
    [
        (HERE, None, 0.0),
        (HERE, "nonsense", 0.0),
        (HERE, "p1epoch:2", 0.0),
        (HERE, "p1epoch:3", LAGGING_S),
        (HERE, "p1epoch:1-3.1", LAGGING_S),
        (HERE, f"{LATER}:1", UNKNOWN_EPOCH_S),
        (HERE, f"p1epoch:2,{LATER}:1", 0.0),
        (HERE, f"p1epoch:3,{LATER}:1", LAGGING_S),
        (Relay(), "p1epoch:3", LAGGING_S),
    ],
)
def test_a_reader_waits_longer_for_a_worker_that_lags_or_has_yet_to_join(relay, last_id, wait_s):
    assert patience_s(relay, last_id) == wait_s
