"""Routes that a token of one folder may use, with what is in this folder and nothing else."""

from urllib.parse import quote

import pytest

from gateway.access.principal import Action
from tests.blackbox.token_server import HERE, THERE, token_server
from tests.processes import wait_until

MARK = "outside-word"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with token_server(tmp_path_factory.mktemp("items")) as shared:
        yield shared


@pytest.fixture(scope="module")
def inside(served, tmp_path_factory):
    """A folder with a file, and a token that may write there."""
    folder = tmp_path_factory.mktemp("inside")
    (folder / "notes.txt").write_text("found inside")
    (folder / "link").symlink_to(tmp_path_factory.mktemp("outside"))
    (folder / "link" / "secret.txt").write_text(MARK)
    return str(folder), served.tokens.add("inside", Action.WRITE, None, (str(folder),))[0]


def test_children_and_what_a_search_finds_are_those_of_the_grants(served, inside):
    folder, token = inside
    parent = served.session(folder)
    inner = served.call(
        token, "POST", f"/session?directory={folder}", {"title": "child", "parentID": parent}
    ).body["id"]
    outer = served.call(
        served.owner, "POST", f"/session?directory={THERE}", {"title": MARK, "parentID": parent}
    ).body["id"]
    text = {"noReply": True, "parts": [{"type": "text", "text": f"{MARK} searched"}]}
    for session in (inner, outer):
        served.call(served.owner, "POST", f"/session/{session}/message", text)
    for path, of_both, of_one in (
        (f"/session/{parent}/children", {inner, outer}, {inner}),
        (f"/weir/search?q={MARK}&directory={folder}", {inner}, {inner}),
        (f"/weir/search?q={MARK}&session={inner}", {inner}, {inner}),
        (f"/api/session?limit=200&directory={folder}", {parent, inner}, {parent, inner}),
    ):

        def ids(who, path=path):
            found = served.call(who, "GET", path)
            assert found.status == 200, found.body
            items = found.body
            if isinstance(items, dict):
                items = items.get("found", items.get("data"))
            return {one.get("sessionID", one.get("id", "")) for one in items}

        wait_until(lambda of_both=of_both, ids=ids: of_both <= ids(served.owner))
        assert ids(token) == of_one, path
        assert MARK not in str(served.call(token, "GET", path).body) or "search" in path


def test_items_of_all_folders_are_asked_for_by_a_granted_session_or_folder_alone(served, inside):
    folder, token = inside
    mine, foreign = served.session(folder), served.session(THERE)
    share = served.share(served.owner, mine).body["token"]
    for path in ("/weir/search?q=a", "/api/session?limit=1"):
        assert served.call(served.owner, "GET", path).status == 200
        names = ("", f"&directory={THERE}", "&directory=", f"&session={foreign}", "&session=")
        for named in names:
            for who in (token, share):
                assert served.call(who, "GET", path + named).status == 403, path + named
        both = f"{path}&directory={folder}&directory={THERE}"
        assert served.call(token, "GET", both).status in (400, 403)
    assert served.call(share, "GET", f"/weir/search?q=a&session={mine}").status == 200


def test_a_new_session_has_no_parent_outside_of_the_grants(served, inside):
    folder, token = inside
    for parent in (served.session(THERE), "ses_none"):
        body = {"parentID": parent}
        assert served.call(token, "POST", f"/session?directory={folder}", body).status == 403


def test_files_of_a_granted_folder_are_read_and_no_link_or_path_leads_out_of_it(served, inside):
    folder, token = inside
    at = f"directory={folder}"
    for path, words in (
        (f"/file?{at}&path=", "notes.txt"),
        (f"/file/content?{at}&path=notes.txt", "found inside"),
        (f"/find?{at}&pattern=found", "notes.txt"),
        (f"/find/file?{at}&query=notes", "notes.txt"),
        (f"/api/location?{at}", folder),
    ):
        said = served.call(token, "GET", path)
        assert (said.status, words in str(said.body)) == (200, True), path
    for path in (
        "../outside0/secret.txt",
        "%252e%252e/x",
        "link/secret.txt",
        f"{folder}/notes.txt",
    ):
        said = served.call(token, "GET", f"/file/content?{at}&path={path}")
        assert said.status in (400, 403, 404), path
        assert MARK not in str(said.body)


@pytest.mark.parametrize(
    "path", ["/file?path=", "/weir/search?q=a", "/api/session?limit=1", "/event?since=now"]
)
def test_a_folder_that_is_a_link_out_of_the_grants_is_refused(served, inside, path):
    folder, token = inside
    assert served.call(token, "GET", f"{path}&directory={folder}/link").status == 403


@pytest.mark.parametrize("spelt", [HERE, quote(HERE, ""), quote(HERE, "").lower()])
def test_the_header_names_a_folder_in_each_way_in_which_clients_spell_it(served, spelt):
    where = {
        "headers": {"Authorization": f"Bearer {served.writer}", "X-Opencode-Directory": spelt}
    }
    made = served.up.patiently("POST", "/session", {}, **where)
    assert (made.status, made.body["directory"]) == (200, HERE)
    there = {**where["headers"], "X-Opencode-Directory": spelt.replace("here", "there")}
    assert served.up.patiently("POST", "/session", {}, headers=there).status == 403
