"""What the audit says, and what it keeps out."""

import json
import stat

import pytest

from gateway.access.audit import Audit, Entry
from gateway.access.identity import Identity
from gateway.access.principal import Person, Principal
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request

PHONE = Principal("phone", ())


def lines(folder, name="audit.ndjson"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def noted(folder):
    return lines(folder) if (folder / "audit.ndjson").exists() else []


def entry(path="/session", principal=None):
    return Entry("POST", path, "192.0.2.1", True, principal)


def answer(access, one, status=200):
    """Let a request pass the door, and answer with the status of a refusal, or else `status`."""
    try:
        access.admit(one, one.path)
    except Refusal as refusal:
        status = refusal.status
    one.answered(status)
    one.answered(None)  # as at the end of the connection


def test_writes_and_refusals_are_noted_without_a_secret(tmp_path):
    access = open_access(audit=Audit(tmp_path))
    for words in (
        ("GET", "/session?auth_token=s3cret"),
        ("POST", "/session/ses_1/abort?auth_token=s3cret", "Authorization: Bearer s3cret"),
        ("DELETE", "/session/ses_1", "Origin: https://evil.example", "Cookie: s3cret=s3cret"),
        ("GET", "/event", "Host: evil.example"),
    ):
        answer(access, request(*words))
    written, deleted, rebound = lines(tmp_path)
    assert {**written, "time": 0} == {
        "time": 0,
        "who": "anybody",
        "from": "192.0.2.1",
        "method": "POST",
        "path": "/session/ses_1/abort",
        "session": "ses_1",
        "status": 200,
    }
    assert (deleted["method"], deleted["session"], deleted["status"]) == ("DELETE", "ses_1", 403)
    assert (rebound["method"], rebound["path"], rebound["status"]) == ("GET", "/event", 403)
    file = tmp_path / "audit.ndjson"
    assert "s3cret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_opening_of_a_websocket_is_noted_as_a_write(tmp_path):
    access = open_access(audit=Audit(tmp_path))
    one = request("GET", "/pty/pty_1/connect", "Connection: Upgrade", "Upgrade: websocket")
    answer(access, one, 101)
    (opened,) = lines(tmp_path)
    assert (opened["method"], opened["path"]) == ("GET", "/pty/pty_1/connect")
    assert opened["status"] == 101


@pytest.mark.parametrize(
    ("method", "status", "is_noted"),
    [
        *(("POST", status, True) for status in (200, 302, 404, 502, None)),
        *(("GET", status, True) for status in (401, 403, 429)),
        *(("GET", status, False) for status in (200, 404, 502, None)),
    ],
)
def test_a_line_says_what_was_answered(tmp_path, method, status, is_noted):
    """Also if the answer comes from behind the door; None: the connection ended without one."""
    answer(open_access(audit=Audit(tmp_path)), request(method, "/session/ses_1"), status)
    assert [one["status"] for one in noted(tmp_path)] == ([status] if is_noted else [])


def test_a_sender_is_named_with_what_identifies_the_sender(tmp_path):
    audit = Audit(tmp_path)
    for one in (
        Principal("phone", (), id="4f"),
        Principal("opencode", ()),
        Principal("al", (), "https://id#al", person=Person("al", issuer="https://id")),
        Principal("al", (), "#al", person=Person("al")),
        None,
    ):
        audit.note(entry(principal=one), 200)
    assert [(one["who"], one.get("token")) for one in lines(tmp_path)] == [
        ("phone", "4f"),
        ("opencode", None),
        ("https://id#al", None),
        ("#al", None),
        ("", None),
    ]


def test_a_flood_of_refusals_is_counted_and_pushes_nothing_out(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.access.audit.time.time", lambda: 1000.0)
    audit = Audit(tmp_path)
    for sender, status in ((None, 401), (None, 204), (PHONE, 403), (PHONE, 404)) * 250:
        audit.note(entry(principal=sender), status)
    assert len(lines(tmp_path)) == 100  # a hundred a second
    for status in (200, 502, None):  # each may have had an effect
        audit.note(entry(principal=PHONE), status)
    found = lines(tmp_path)
    assert [one["status"] for one in found[-3:]] == [200, 502, None]
    assert [one.get("left_out") for one in found[-4:]] == [None, 900, None, None]


def test_a_full_file_makes_room_for_a_new_one(tmp_path):
    audit = Audit(tmp_path, most_bytes=1000)
    for number in range(30):
        audit.note(entry(f"/session/{number}", PHONE), 200)
    paths = [one["path"] for one in (*lines(tmp_path, "audit.ndjson.1"), *noted(tmp_path))]
    assert 3 < len(paths) < 30
    assert paths == [f"/session/{30 - left}" for left in range(len(paths), 0, -1)]


def test_a_file_that_cannot_be_written_refuses_nothing_and_is_logged_once(tmp_path, caplog):
    access = open_access(audit=Audit(tmp_path / "none"))
    for _ in range(2):
        one = request("POST", "/session")
        assert access.admit(one, one.path).principal is not None
        one.answered(200)
    assert len(caplog.records) == 1
    assert isinstance(access.identity, Identity)
