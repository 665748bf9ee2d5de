"""Which folder a stream follows in front of an upstream, whatever its clients call the folder."""

import os
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from tests.blackbox.weir_up import weir_up
from tests.fakes.upstream import upstream
from tests.processes import wait_until
from tests.sse_client import SseClient

THEIRS, OTHER, LINK = "/srv/theirs", "/srv/other", "/srv/link"
UNAVAILABLE = 503
FOLDERS = {"": THEIRS, LINK: THEIRS, "../theirs": THEIRS, "/a%b/..": OTHER, THEIRS: THEIRS}


def title(folder, text):
    """A session's news, as an upstream publishes them."""
    info = {"id": "ses_1", "title": text, "time": {"created": 1, "updated": 2}}
    event = {"type": "session.updated", "properties": {"sessionID": "ses_1", "info": info}}
    return {"directory": folder, "payload": {"id": f"evt_{text}", **event}}


@contextmanager
def relayed(folder, **folders):
    """Run weir in front of an upstream with these folders."""
    with upstream() as fake:
        fake.server.folders = {**FOLDERS, **folders}
        with weir_up(folder, "--workers", "1", "--upstream", fake.url) as up:
            fake.wait_connected()
            yield fake, up


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with relayed(tmp_path_factory.mktemp("relay")) as both:
        up = both[1]
        wait_until(lambda: own_folder(up) == THEIRS)
        yield both


def own_folder(up):
    return (up.call("GET", "/weir/status").body["upstream"] or {}).get("directory")


def opened(up, query="", headers=None):
    return SseClient(f"{up.url}/event{query}", headers)


def titles(stream, last):
    """Return the titles that a stream tells up to and with the last."""
    events = stream.until(lambda event: told(event) == last)
    return [title for event in events if (title := told(event)) is not None]


def told(event):
    return event["properties"].get("info", {}).get("title")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?directory=", {}),
        (f"?directory={LINK}", {}),
        (f"?directory={quote(quote(LINK, safe=''), safe='')}", {}),
        (f"?directory={THEIRS}&workspace=", {}),
        ("?directory=../theirs", {}),
        ("", {"x-opencode-directory": quote(LINK, safe="")}),
    ],
)
def test_a_stream_follows_the_folder_that_the_upstream_makes_of_a_path(relay, query, headers):
    fake, up = relay
    with opened(up, query, headers) as stream:
        assert stream.next()
        fake.say(title(os.getcwd(), "weirs"), title(OTHER, "other"), title(THEIRS, "theirs"))
        assert titles(stream, "theirs") == ["theirs"]


def test_a_path_with_a_percent_sign_is_asked_for_as_it_is(relay):
    fake, up = relay
    with opened(up, f"?directory={quote(quote('/a%b/..', safe=''), safe='')}") as stream:
        assert stream.next()
        fake.say(title(THEIRS, "theirs"), title(OTHER, "other"))
        assert titles(stream, "other") == ["other"]


def test_a_folder_that_has_been_heard_of_is_not_asked_for(relay):
    fake, up = relay
    with SseClient(f"{up.url}/global/event") as everything:
        everything.next()
        fake.say(title("/srv/heard", "heard"))
        everything.until(lambda event: told(event["payload"]) == "heard")
    asked = len(fake.server.requests)
    with opened(up, "?directory=/srv/heard") as stream:
        assert stream.next()
    assert not [one for one in fake.server.requests[asked:] if "heard" in one]


def test_before_the_folder_is_known_a_stream_is_open_and_then_is_told_what_it_missed(tmp_path):
    with relayed(tmp_path, **{"": UNAVAILABLE}) as (fake, up), opened(up) as stream:
        connected = stream.next()
        assert b'"resumed":false' in connected.data
        assert not connected.id
        fake.say(title(OTHER, "other"), title(THEIRS, "missed"))
        fake.server.folders[""] = THEIRS
        assert titles(stream, "missed") == ["missed"]
        fake.say(title(OTHER, "other"), title(THEIRS, "next"))
        assert titles(stream, "next") == ["next"]


def test_a_stream_that_names_no_folder_goes_on_after_its_id(tmp_path):
    with relayed(tmp_path) as (fake, up):
        wait_until(lambda: own_folder(up) == THEIRS)
        with opened(up) as stream:
            stream.next()
            fake.say(title(THEIRS, "first"))
            last_id = next(event.id for _ in range(9) if (event := stream.next()).id)
            fake.say(title(THEIRS, "second"))
            assert "second" in titles(stream, "second")
        with opened(up, headers={"Last-Event-ID": last_id}) as stream:
            assert b'"resumed":true' in stream.next().data
            assert titles(stream, "second")[-1] == "second"


def test_a_path_is_asked_for_again_when_the_upstream_is_there(tmp_path):
    with (
        relayed(tmp_path, **{LINK: UNAVAILABLE}) as (fake, up),
        opened(up, f"?directory={LINK}") as stream,
    ):
        stream.next()
        fake.say(title(THEIRS, "missed"))
        fake.server.folders[LINK] = THEIRS
        assert titles(stream, "missed") == ["missed"]


def test_an_upstream_that_was_started_anew_elsewhere_is_followed_there(tmp_path):
    with relayed(tmp_path) as (fake, up):
        wait_until(lambda: own_folder(up) == THEIRS)
        with opened(up) as stream:
            stream.next()
            fake.server.folders[""] = OTHER
            fake.cut()
            fake.wait_connected(2)
            fake.say(title(THEIRS, "theirs"), title(OTHER, "new"))
            assert titles(stream, "new")[-1] == "new"
            fake.say(title(THEIRS, "theirs"), title(OTHER, "next"))
            assert titles(stream, "next") == ["next"]
