"""Sessions and their messages over the HTTP surface of `weir up`: made, read, listed, removed."""

import time
from urllib.parse import quote, urlsplit

import pytest

from tests.blackbox.native import HERE, MESSAGES, SESSION, THERE, messages_of
from tests.blackbox.weir_up import prompt, said
from tests.openapi import check


def test_a_session_is_made_read_changed_listed_and_removed(up):
    body = {"title": "first", "metadata": {"ü": [1, None]}, "agent": "build"}
    made = check(up.call("POST", f"/session?directory={quote(THERE)}", body), "post", "/session")
    path = f"/session/{made['id']}"
    assert (made["title"], made["directory"], made["metadata"]) == (
        "first",
        THERE,
        {"ü": [1, None]},
    )
    assert check(up.call("GET", path), "get", SESSION) == made

    changed = check(up.call("PATCH", path, {"title": "second"}), "patch", SESSION)
    assert changed["title"] == "second"
    assert changed["metadata"] == made["metadata"]
    assert changed["time"]["updated"] >= made["time"]["updated"]
    archived = up.call("PATCH", path, {"time": {"archived": 12345}}).body
    assert archived["time"]["archived"] == 12345
    assert up.call("GET", path).body == archived

    listed = check(up.call("GET", f"/session?directory={quote(THERE)}"), "get", "/session")
    assert archived in listed
    assert check(up.call("DELETE", path), "delete", SESSION) is True
    assert check(up.call("GET", path), "get", SESSION)["name"] == "NotFoundError"
    assert archived not in up.call("GET", f"/session?directory={quote(THERE)}").body


def test_a_session_needs_no_body(up):
    made = check(up.call("POST", "/session"), "post", "/session")
    assert made["title"].startswith("New session - ")


def test_sessions_are_listed_by_what_is_asked(up):
    where = "/srv/demo/lists"
    parent = up.session(where, title="The Parent")
    child = up.session(where, title="a child", parentID=parent)
    last = up.session(where, title="the last")
    up.session("/srv/demo/elsewhere", title="the other")

    def listed(query):
        found = check(
            up.call("GET", f"/session?directory={quote(where)}&{query}"), "get", "/session"
        )
        return [session["id"] for session in found]

    assert listed("") == [last, child, parent]
    assert listed("roots=true") == [last, parent]
    assert listed("limit=1") == [last]
    assert listed("search=parent") == [parent]
    assert listed(f"start={int(time.time() * 1000) + 60_000}") == []
    changed = up.call("PATCH", f"/session/{parent}", {"title": "changed"}).body
    assert listed(f"start={changed['time']['updated']}")[0] == parent
    assert len(listed("scope=project")) > 3


def test_a_child_goes_with_its_parent(up):
    parent = up.session(HERE)
    child = up.session(HERE, parentID=parent)
    assert up.call("DELETE", f"/session/{parent}").body is True
    assert up.call("GET", f"/session/{child}").status == 404


def test_pages_of_messages_give_all_of_them_once(up, session):
    for number in range(5):
        body = prompt(f"number {number}", noReply=True)
        assert up.call("POST", f"/session/{session}/message", body).status == 200
    everything = messages_of(up, session)
    assert [said(message) for message in everything] == [f"number {n}" for n in range(5)]

    pages, path = [], f"/session/{session}/message?limit=2"
    while path:
        reply = up.call("GET", path)
        pages.append(check(reply, "get", MESSAGES))
        cursor, link = reply.headers["X-Next-Cursor"], reply.headers["Link"]
        assert (cursor is None) == (link is None)
        path = cursor and f"/session/{session}/message?limit=2&before={quote(cursor)}"
        if link:
            target, _, relation = link.partition(">; ")
            followed = urlsplit(target.removeprefix("<"))
            assert relation == 'rel="next"'
            assert up.call("GET", f"{followed.path}?{followed.query}").body == (
                up.call("GET", path).body
            )
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [message for page in reversed(pages) for message in page] == everything


@pytest.mark.parametrize("limit", [5, 6, 1000])
def test_a_page_that_holds_all_has_no_cursor(up, session, limit):
    for number in range(5):
        up.call("POST", f"/session/{session}/message", prompt(f"{number}", noReply=True))
    reply = up.call("GET", f"/session/{session}/message?limit={limit}")
    assert len(reply.body) == 5
    assert reply.headers["X-Next-Cursor"] is None


def test_the_todo_list_and_the_diff_of_a_session_are_empty(up, session):
    for what in ("todo", "diff"):
        reply = up.call("GET", f"/session/{session}/{what}")
        assert check(reply, "get", f"{SESSION}/{what}") == []
