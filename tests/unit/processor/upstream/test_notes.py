"""What one processor leaves to the next."""

import pytest

from processor.upstream.frames import InstanceLocation
from processor.upstream.notes import Noted, Notes


@pytest.mark.parametrize("data", [b"", b"[]", b'{"since_ms":1,"sessions":{"\xff":{}}}'])
def test_notes_that_cannot_be_read_are_done_without(tmp_path, data):
    file = tmp_path / "notes.json"
    file.write_bytes(data)
    assert Notes(file).read() is None


def test_a_session_id_with_half_a_surrogate_pair_does_not_keep_the_others_from_the_notes(tmp_path):
    notes, place = Notes(tmp_path / "notes.json"), InstanceLocation("/d")
    sessions = {"ses_\ud800": place, "ses_1": place}
    notes.write(Noted(1, sessions, {"ses_\udfff": (place, 2), "ses_2": (place, 2)}))
    assert notes.read() == Noted(1, {"ses_1": place}, {"ses_2": (place, 2)})
