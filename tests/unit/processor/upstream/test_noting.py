"""When a processor begins to leave notes to the next one."""

from types import SimpleNamespace

from bus.origin import Origin
from processor.upstream.notes import Noted
from processor.upstream.settings import UpstreamSettings
from processor.upstream.upstream import Upstream


def test_notes_are_left_as_soon_as_the_stream_is_whole(tmp_path):
    """A processor may be killed in its first second, and what happens then is to be healed."""
    reader = SimpleNamespace(whole_ms=None)
    healing = SimpleNamespace(note=lambda notes, now, whole_ms: notes.write(Noted(whole_ms, {})))
    each_beat = Upstream(UpstreamSettings(Origin.parse("http://127.0.0.1:1")), tmp_path)._noting(
        healing, reader
    )
    each_beat()
    assert not list(tmp_path.iterdir())
    reader.whole_ms = 5
    each_beat()
    assert len(list(tmp_path.iterdir())) == 1
