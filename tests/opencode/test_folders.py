"""Every name that an opencode has for a folder, at weir in front of the opencode."""

from urllib.parse import quote

import pytest

from tests.http_client import call
from tests.opencode.install import OLD_VERSION, VERSION
from tests.opencode.relay import readiness
from tests.processes import wait_until
from tests.sse_client import SseClient

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.parametrize("opencode", [VERSION, OLD_VERSION], indirect=True, scope="package"),
]


def names(folder):
    """Return queries that mean a folder, the opencode's own; a link stands beside it."""
    link = folder.parent / "link"
    if not link.is_symlink():
        link.symlink_to(folder)
    twice = quote(quote(str(folder), safe=""), safe="")
    spelt = [f"{folder}/", f"{folder}//.", f"{folder}/../{folder.name}", str(link), ".", twice]
    return [
        "",
        "?directory=",
        f"?directory={folder}&workspace=",
        *(f"?directory={s}" for s in spelt),
    ]


def test_a_stream_follows_the_same_folder_as_at_the_opencode(opencode, up):
    folder, other = opencode.projects
    wait_until(lambda: readiness(up)[0] == 200)
    for query in names(folder):
        with SseClient(f"{up.url}/event{query}") as stream:
            stream.next()
            made = [
                call("POST", f"{up.url}/session?directory={where}", {}).body["id"]
                for where in (other, folder)
            ]
            # A stream that learns its folder late says what the session is, not how it began.
            first = next(named for e in stream.events() if (named := session_of(e)) in made)
        assert first == made[-1], query


def session_of(event):
    return event["properties"].get("info", {}).get("id")


def test_a_stream_without_a_folder_is_where_the_opencode_is(opencode, up):
    wait_until(lambda: readiness(up)[0] == 200)
    status = call("GET", f"{up.url}/weir/status").body
    assert status["upstream"]["directory"] == call("GET", f"{opencode.url}/path").body["directory"]
