"""Healing on a bench: a server that has stored something, and a stream that is cut."""

import json

import pytest

from bus.ids import Ids
from processor.upstream.api import RestFailed
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from tests.envelopes import dump
from tests.fakes.stored import Stored, StoredRest

HERE = {"directory": "/d", "project": "prj"}
CUT_MS = 1000


def frame(kind, **properties):
    return HERE | {"payload": {"type": kind, "properties": {"sessionID": "ses_1", **properties}}}


def message(name, created, role="assistant", **time):
    info = {"id": name, "role": role, "sessionID": "ses_1", "time": {"created": created, **time}}
    return frame("message.updated", info=info)


def part(name, of, text, end=None):
    time = {"start": 1} | ({} if end is None else {"end": end})
    ids = {"id": name, "messageID": of, "sessionID": "ses_1"}
    return frame("message.part.updated", part=ids | {"type": "text", "text": text, "time": time})


def delta(name, of, text):
    ids = {"messageID": of, "partID": name}
    return frame("message.part.delta", **ids, field="text", delta=text)


SESSION = frame("session.created", info={"id": "ses_1", "time": {"created": 1}})
BUSY = frame("session.status", status={"type": "busy"})
PROMPT = {"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "type": "text", "text": "Hi"}


class Bench:
    """An intake and its healing, with what a server has stored."""

    def __init__(self, *stored):
        self.stored = Stored(list(stored))
        self.published = []
        self.asked = 0
        self.during = lambda: None
        self.intake = FrameIntake(lambda frame: self.published.append(frame), lambda: 0.0)
        self.rest = StoredRest(self.stored, self.before_each, lambda: None)
        self.healing = Healing(self.rest, self.intake, Ids())
        self.intake.connected(0)

    def before_each(self):
        self.asked += 1
        self.during()

    def live(self, *frames):
        for one in frames:
            self.stored.apply(one)
            self.intake.take(dump(one))

    def reconnect(self, now=0.0):
        self.intake.release()
        self.healing.cut(now, CUT_MS)
        self.intake.connected(CUT_MS)

    def heal(self):
        self.published.clear()
        self.healing.attempt()
        return [json.loads(one.event.json()) for one in self.published]

    def fails_after(self, *frames):
        """Have an attempt fail, as soon as these have come."""

        def fail():
            self.live(*frames)
            raise RestFailed("not now")

        self.during = fail
        with pytest.raises(RestFailed):
            self.heal()
        self.during = lambda: None
