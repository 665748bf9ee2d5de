"""Events of a known name that say something else: they pass, and mean nothing here."""

import json

import pytest

from bus.ids import Ids
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.notes import Noted, Notes
from tests.fakes.stored import Stored, StoredRest

INFO = {"id": "msg_1", "sessionID": "ses_1", "role": "user"}
PART = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "type": "text"}


def events(odd):
    """Return events with `odd` in place of what is named there."""
    return [
        ("message.updated", {"info": INFO | {"id": odd}}),
        ("message.updated", {"info": INFO | {"sessionID": odd}}),
        ("message.updated", {"info": INFO | {"time": {"created": odd}}}),
        ("message.updated", {"info": odd}),
        ("message.removed", {"sessionID": odd, "messageID": odd}),
        ("message.part.updated", {"part": PART | {"id": odd}}),
        ("message.part.updated", {"part": PART | {"messageID": odd}}),
        ("message.part.updated", {"part": PART | {"text": odd, "time": odd}}),
        ("message.part.removed", {"messageID": odd, "partID": odd}),
        ("message.part.delta", {"messageID": odd, "partID": odd, "field": odd, "delta": odd}),
        ("session.updated", {"info": {"id": odd}}),
        ("session.deleted", {"info": {"id": odd}}),
        ("session.status", {"sessionID": odd, "status": odd}),
        ("session.diff", {"diff": odd}),
        ("todo.updated", {"todos": odd}),
        ("permission.asked", {"id": odd}),
        ("question.replied", {"requestID": odd}),
    ]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("odd", [None, True, 5, [], {}, [[]], float("inf"), "\ud800"], ids=repr)
def test_what_is_in_no_known_form_passes_as_it_came(tmp_path, odd, held):
    published = []
    intake = FrameIntake(published.append, lambda: 0.0)
    intake.connected(0)
    if not held:
        intake.release()
    sent = [
        {"type": name, "properties": {"sessionID": "ses_1"} | properties}
        for name, properties in events(odd)
    ]
    for event in sent:
        # The largest number of all, as JSON can say it.
        data = json.dumps({"directory": "/d", "payload": event}).replace("Infinity", "1e999")
        intake.take(data.encode())
    intake.release()
    got = [json.loads(frame.event.json()) for frame in published]
    # A delta of an unknown part may be withheld.
    assert without_deltas(got) == without_deltas(sent)
    healing = Healing(StoredRest(Stored(), None, None), intake, Ids())
    noted = Noted(1, healing.lively(0.0), healing.at_rest(()))
    notes = Notes(tmp_path / "notes.json")
    notes.write(noted)
    assert notes.read() == noted


def without_deltas(events):
    return [event for event in events if event["type"] != "message.part.delta"]
