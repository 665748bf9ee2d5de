"""Which texts may become a session's id in a request of weir's own."""

import pytest

from gateway.access.lists import kept
from gateway.access.whereabouts import Whereabouts
from gateway.relay.scope import Scope

NO_IDS = [
    "ses_1?directory=/tmp/other",
    "../event",
    "ses_1/message",
    "ses_1#",
    "ses 1",
    "ses_1\r\nX: y",
    "ses_1\n",
    "é",
    "ses_%31",
    "..",
    "",
    "s" * 129,
]


@pytest.mark.parametrize("text", NO_IDS)
def test_no_server_is_asked_for_what_is_no_id(text):
    asked = []
    where = Whereabouts({}, lambda session: asked.append(session) or "/srv/a")
    assert where.folder(text) is None
    assert where.folder("ses_aB-9") == "/srv/a"
    listed = kept(b'{"../event": {}, "ses_b": {}}', Scope(("/srv/a",)), where.folder)
    assert listed == b'{"ses_b":{}}'
    assert asked == ["ses_aB-9", "ses_b"]
