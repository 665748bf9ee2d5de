"""The one stream of an agent: connected, lost, refused, and connected again at once."""

import threading

from acp_client.api.feed import EventFeed
from acp_client.api.stream import StreamRefused
from bus.origin import Origin
from bus.sse import ServerSentEvent
from tests.processes import DEADLINE_S

NOWHERE = Origin("http", "nowhere", 80)
CONNECTED = b'{"payload":{"type":"server.connected","properties":{"resumed":true}}}'


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self):
        self.said = []
        self.changed = threading.Condition()

    def note(self, *what):
        with self.changed:
            self.said.append(what)
            self.changed.notify_all()

    def on_connected(self, resumed):
        self.note("connected", resumed)

    def on_event(self, event):
        self.note("event", event.type)

    def on_lost(self, words, attempts):
        self.note("lost", words, attempts)

    def until(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.said) >= count, DEADLINE_S), self.said
            return self.said


def stream_of(*scripts):
    """Connections that play these scripts, and end with one that waits for ever."""
    left = iter(scripts)

    def stream(url, query, notice, pause):
        assert query == {"frame_hz": "30"}
        script = next(left, None)
        if script is None:
            threading.Event().wait()
        yield from (ServerSentEvent(data) for data in script(notice, pause))

    return stream


def feeding(*scripts):
    """A feed of such connections, and who listens to it."""
    heard, feed = Heard(), EventFeed(NOWHERE, stream_of(*scripts))
    feed.start(heard)
    return feed, heard


def refused(notice, pause):
    raise StreamRefused("401")
    yield


def long_away(notice, pause):
    for _ in range(3):
        notice("refuses connections")
        pause(3600)
    yield CONNECTED


def test_a_prompt_does_not_wait_for_the_next_attempt():
    feed, heard = feeding(long_away)
    for losses in (1, 2, 3):
        assert heard.until(losses)[-1] == ("lost", "refuses connections", losses)
        connected = feed.wait_connected(0 if losses < 3 else DEADLINE_S)
    assert connected
    assert heard.until(4)[-1] == ("connected", True)


def test_a_refusal_is_asked_again_when_somebody_wants_it():
    feed, heard = feeding(refused, lambda notice, pause: [CONNECTED])
    assert heard.until(1)[-1] == ("lost", "401", 1)
    assert feed.words == "401"
    assert feed.wait_connected(DEADLINE_S)


def test_one_event_does_not_take_the_others_along():
    class Clumsy(Heard):
        def on_event(self, event):
            if event.type == "bad":
                raise ZeroDivisionError
            super().on_event(event)

    heard = Clumsy()
    frames = [CONNECTED, b'{"payload":{"type":"bad"}}', b'{"payload":{"type":"good"}}']
    EventFeed(NOWHERE, stream_of(lambda notice, pause: frames)).start(heard)
    assert heard.until(2)[-1] == ("event", "good")


def test_what_is_no_event_is_passed_over():
    frames = [b"nonsense", b"[]", b'{"payload":{"type":"a"}}', b'{"type":"b","properties":{}}']
    _, heard = feeding(lambda notice, pause: [CONNECTED, *frames])
    assert heard.until(3)[1:] == [("event", "a"), ("event", "b")]
