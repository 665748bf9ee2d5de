"""How long readers wait for the next attempt to heal, and how long that may take."""

import gevent
import urllib3
from gevent import GreenletExit
from gevent.event import Event

from bus.ids import Ids
from bus.origin import Origin
from processor.upstream import reader as reading
from processor.upstream.api import NotJson, NotThere, UpstreamApi
from processor.upstream.condition import Condition
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.reader import UpstreamReader
from processor.upstream.settings import UpstreamSettings
from tests.fakes.stored import Stored, StoredRest
from tests.ports import free_port

HOLD_S = 0.02


def said(kind, **properties):
    event = {"type": kind, "properties": {"sessionID": "ses_1", **properties}}
    return {"directory": "/d", "payload": event}


def test_however_often_healing_has_failed_it_is_tried_again_within_seconds(monkeypatch):
    settings = UpstreamSettings(Origin("http", "127.0.0.1", free_port()))
    pool = urllib3.PoolManager()
    rest, intake, condition = (
        UpstreamApi(settings, pool),
        FrameIntake(print),
        Condition(settings.url),
    )
    reader = UpstreamReader(settings, pool, intake, Healing(rest, intake, Ids()), rest, condition)
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


class SlowRest(StoredRest):
    """Needs longer for messages than live events wait."""

    def version(self):
        raise NotThere

    def messages(self, session, place, before=None):
        Event().wait(3 * HOLD_S)
        return super().messages(session, place, before)


def test_an_answer_that_takes_longer_than_live_events_wait_is_not_done_without(monkeypatch):
    monkeypatch.setattr(reading, "HOLD_S", HOLD_S)
    monkeypatch.setattr(gevent, "sleep", lambda seconds: None)
    info = {"id": "msg_1", "role": "assistant", "sessionID": "ses_1", "time": {"created": 1}}
    stored = [
        said("session.created", info={"id": "ses_1", "time": {"created": 1}}),
        said("session.status", status={"type": "busy"}),
        said("message.updated", info=info),
    ]
    rest = SlowRest(Stored(stored), lambda: None, lambda: None)
    published = []
    intake = FrameIntake(published.append)
    reader = UpstreamReader(
        None, None, intake, Healing(rest, intake, Ids()), rest, Condition("an upstream")
    )
    intake.connected(None)
    reader._heal()
    assert "message.updated" in [frame.event.type for frame in published]


def test_a_health_that_is_junk_keeps_nothing_from_being_healed():
    class JunkHealth(StoredRest):
        def version(self):
            raise NotJson("GET /global/health: the answer of the upstream is not JSON")

    rest = JunkHealth(Stored(), lambda: None, lambda: None)
    intake, condition = FrameIntake(print), Condition("an upstream")
    reader = UpstreamReader(None, None, intake, Healing(rest, intake, Ids()), rest, condition)
    intake.connected(None)
    reader._heal()
    assert (condition.healing, condition.unhealed, condition.version) == (False, None, None)
