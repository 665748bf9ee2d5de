"""One folder under many names, natively: sessions, lists, status and streams agree."""

import os
from urllib.parse import quote

import pytest

from tests.sse_client import SseClient

NAMES = {
    "as it is": "{real}",
    "a link": "{link}",
    "a slash at the end": "{real}/",
    "slashes": "//{real}//.",
    "up and down": "{real}/sub/../../real",
    "encoded twice": None,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("folders")
    (base / "real" / "sub").mkdir(parents=True)
    (base / "link").symlink_to(base / "real")
    return {"real": os.path.realpath(base / "real"), "link": str(base / "link")}


def query(folders, name):
    spelt = NAMES[name]
    real = folders["real"]
    path = quote(real, safe="") if spelt is None else spelt.format(**folders)
    return f"?directory={quote(path, safe='')}"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_the_same_under_each_of_its_names(up, folders, name):
    where = query(folders, name)
    assert up.call("GET", f"/path{where}").body["directory"] == folders["real"]
    with SseClient(f"{up.url}/event{where}") as stream:
        stream.next()
        made = up.call("POST", f"/session{where}", {}).body
        event = next(e for e in stream.events() if e["type"] == "session.created")
    assert event["properties"]["info"]["id"] == made["id"]
    assert made["directory"] == folders["real"]
    for other in NAMES:
        listed = up.call("GET", f"/session{query(folders, other)}").body
        assert made["id"] in [session["id"] for session in listed]


def test_a_folder_that_is_not_there_keeps_its_name(up, folders):
    missing = f"{folders['link']}/missing"
    made = up.call("POST", f"/session?directory={missing}/./", {}).body
    assert made["directory"] == missing
