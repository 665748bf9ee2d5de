"""What the stream tells of its own age."""

import json

from processor.upstream.intake import FrameIntake
from tests import gauges, recorded
from tests.envelopes import dump
from tests.gauges import moved, noted

YEAR_MS = 365 * 86_400_000


def taken(*names):
    intake = FrameIntake(lambda frame: None, lambda: 0.0)
    for name in names:
        intake.connected(None)
        for data in recorded.raw_frames(name, "global"):
            intake.take(data)
    return intake


def completed_ms(name):
    [messages] = recorded.final_messages(name)
    return max(one["info"]["time"].get("completed", 0) for one in messages)


def test_the_last_event_was_made_when_its_id_says_however_late_it_came():
    done_ms = completed_ms("plain")
    for late_ms in (10_000, YEAR_MS):
        made_ms = taken("plain").last_made_ms(done_ms + late_ms)
        assert done_ms <= made_ms < done_ms + 10_000


def test_no_event_is_made_after_it_came():
    early_ms = completed_ms("plain") - 1
    assert taken("plain").last_made_ms(early_ms) == early_ms


def test_where_ids_tell_nothing_the_last_event_was_made_when_it_came():
    assert taken("old-1.2.27/plain").last_made_ms(5) == 5


def test_another_connection_begins_anew():
    assert taken("plain", "old-1.2.27/plain").last_made_ms(YEAR_MS * 60) == YEAR_MS * 60


def test_text_for_any_entity_is_withheld_until_all_of_the_entity_was_said():
    published = []
    intake = FrameIntake(published.append, lambda: 0.0)
    begun = [noted("a", "1"), moved("a", 1), noted("a", "2"), noted("a", "3", "ses_2")]
    with gauges.declared():
        for _ in range(2):
            intake.connected(0)
            intake.release()
            for event in begun:
                intake.take(dump({"directory": "/d", "payload": event}))
        assert [json.loads(one.event.json()) for one in published] == begun[1:3] * 2
