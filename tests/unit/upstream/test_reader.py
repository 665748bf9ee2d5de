"""How long readers wait for the next attempt to heal."""

import gevent
import urllib3
from gevent import GreenletExit

from bus.ids import Ids
from bus.origin import Origin
from processor.upstream.condition import Condition
from processor.upstream.healing import Healing
from processor.upstream.intake import Intake
from processor.upstream.reader import Reader
from processor.upstream.rest import Rest
from processor.upstream.settings import UpstreamSettings
from tests.ports import free_port


def test_however_often_healing_has_failed_it_is_tried_again_within_seconds(monkeypatch):
    settings = UpstreamSettings(Origin("http", "127.0.0.1", free_port()))
    pool = urllib3.PoolManager()
    rest, intake, condition = Rest(settings, pool), Intake(print), Condition(settings.url)
    reader = Reader(settings, pool, intake, Healing(rest, intake, Ids()), rest, condition)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 12:
            raise GreenletExit

    monkeypatch.setattr(gevent, "sleep", sleep)
    gevent.spawn(reader._heal).join()
    assert len(waits) == 12
    assert max(waits) <= 5.0
    assert condition.unhealed is not None
