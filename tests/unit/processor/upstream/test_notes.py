"""What one processor leaves to the next."""

import pytest

from processor.upstream.notes import Notes


@pytest.mark.parametrize("data", [b"", b"[]", b'{"since_ms":1,"sessions":{"\xff":{}}}'])
def test_notes_that_cannot_be_read_are_done_without(tmp_path, data):
    file = tmp_path / "notes.json"
    file.write_bytes(data)
    assert Notes(file).read() is None
