"""What the audit says, and what it keeps out."""

import json
import stat

from gateway.access.audit import Audit
from gateway.access.identity import Identity
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request


def lines(folder, name="audit.ndjson"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_writes_and_refusals_are_noted_without_a_secret(tmp_path):
    access = open_access(audit=Audit(tmp_path))
    for words in (
        ("GET", "/session?auth_token=s3cret"),
        ("POST", "/session/ses_1/abort?auth_token=s3cret", "Authorization: Bearer s3cret"),
        ("DELETE", "/session/ses_1", "Origin: https://evil.example", "Cookie: s3cret=s3cret"),
        ("GET", "/event", "Host: evil.example"),
    ):
        one = request(*words)
        try:
            access.admit(one, one.path)
        except Refusal:
            continue
    written, deleted, rebound = lines(tmp_path)
    assert {**written, "time": 0} == {
        "time": 0,
        "who": "anybody",
        "from": "192.0.2.1",
        "method": "POST",
        "path": "/session/ses_1/abort",
        "session": "ses_1",
    }
    assert (deleted["method"], deleted["session"], deleted["refused"]) == ("DELETE", "ses_1", 403)
    assert (rebound["method"], rebound["path"], rebound["refused"]) == ("GET", "/event", 403)
    file = tmp_path / "audit.ndjson"
    assert "s3cret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_opening_of_a_websocket_is_noted_as_a_write(tmp_path):
    access = open_access(audit=Audit(tmp_path))
    one = request("GET", "/pty/pty_1/connect", "Connection: Upgrade", "Upgrade: websocket")
    access.admit(one, one.path)
    (opened,) = lines(tmp_path)
    assert (opened["method"], opened["path"]) == ("GET", "/pty/pty_1/connect")
    assert "refused" not in opened


def test_a_flood_of_refusals_is_counted_and_pushes_nothing_out(tmp_path):
    audit = Audit(tmp_path)
    for _ in range(1000):
        audit.note("", "GET", "/session", "192.0.2.1", "", 401)
    assert len(lines(tmp_path)) <= 300  # a hundred a second
    audit.note("phone", "POST", "/session", "192.0.2.1", "", None)
    last = lines(tmp_path)[-1]
    assert last["who"] == "phone"
    assert last["left_out"] + len(lines(tmp_path)) - 1 == 1000


def test_a_full_file_makes_room_for_a_new_one(tmp_path):
    audit = Audit(tmp_path, most_bytes=1000)
    for number in range(30):
        audit.note("phone", "POST", f"/session/{number}", "192.0.2.1", "", None)
    old, new = lines(tmp_path, "audit.ndjson.1"), lines(tmp_path)
    assert old[-1]["path"] == f"/session/{29 - len(new)}"
    assert new[-1]["path"] == "/session/29"


def test_a_file_that_cannot_be_written_refuses_nothing_and_is_logged_once(tmp_path, caplog):
    access = open_access(audit=Audit(tmp_path / "none"))
    for _ in range(2):
        one = request("POST", "/session")
        assert access.admit(one, one.path).principal is not None
    assert len(caplog.records) == 1
    assert isinstance(access.identity, Identity)
