"""Sessions over HTTP: what is asked of the processor, and what comes back."""

import falcon
import pytest

from bus.bodies import CreateBody, PatchBody, PatchTime
from bus.commands import (
    SessionCreate,
    SessionDelete,
    SessionGet,
    SessionList,
    SessionPatch,
    Statuses,
)
from tests.fakes.requester import DEFAULT_DIRECTORY, native


def answered(result, body):
    assert result.status_code == 200
    assert result.headers["content-type"] == "application/json"
    assert result.content == body


def refused(result, field):
    assert result.status_code == 400
    assert result.headers["content-type"] == "application/json"
    assert result.json["data"]["field"] == field
    assert result.json["data"]["message"].startswith(field)


def test_an_answer_leaves_byte_for_byte():
    body = b'{ "id":"ses_1",\n "title":"\xc3\xa9" }'
    client, requester = native(body)
    answered(client.simulate_get("/session/ses_1"), body)
    assert requester.commands == [SessionGet("ses_1")]


def test_create_with_an_empty_body():
    client, requester = native(b"{}")
    answered(client.simulate_post("/session"), b"{}")
    assert requester.commands == [SessionCreate(DEFAULT_DIRECTORY, CreateBody())]


def test_create_with_a_body_that_curl_calls_a_form():
    client, requester = native(b"{}")
    result = client.simulate_post(
        "/session", body='{"title":"a"}', content_type=falcon.MEDIA_URLENCODED
    )
    answered(result, b"{}")
    assert requester.commands == [SessionCreate(DEFAULT_DIRECTORY, CreateBody(title="a"))]


def test_list_asks_for_the_default_directory_and_a_hundred():
    client, requester = native(b"[]")
    answered(client.simulate_get("/session"), b"[]")
    assert requester.commands == [SessionList(directory=DEFAULT_DIRECTORY, limit=100)]


def test_list_passes_every_parameter_on():
    client, requester = native(b"[]")
    query = "directory=/a&roots=true&start=1790000000000&search=b+c&limit=7"
    answered(client.simulate_get("/session", query_string=query), b"[]")
    assert requester.commands == [
        SessionList(directory="/a", roots=True, start=1790000000000, search="b c", limit=7)
    ]


def test_list_of_the_project_is_of_every_directory():
    client, requester = native(b"[]")
    answered(client.simulate_get("/session", query_string="scope=project&directory=/a"), b"[]")
    assert requester.commands == [SessionList(directory=None)]


@pytest.mark.parametrize(
    ("given", "roots"), [("1", True), ("true", True), ("0", False), ("false", False), ("", False)]
)
def test_flags_have_four_spellings(given, roots):
    client, requester = native(b"[]")
    answered(client.simulate_get("/session", query_string=f"roots={given}"), b"[]")
    assert requester.commands[0].roots is roots


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "-1"),
        ("limit", "1.5"),
        ("limit", "ten"),
        ("limit", "1_0"),
        ("limit", "%D9%A3"),
        ("limit", "9" * 5000),
        ("start", "-1"),
        ("start", "9007199254740992"),
        ("start", "yesterday"),
        ("roots", "yes"),
        ("roots", "TRUE"),
        ("scope", "global"),
    ],
)
def test_a_wrong_parameter_is_named(field, value):
    client, requester = native()
    result = client.simulate_get("/session", query_string=f"{field}={value}")
    refused(result, field)
    assert result.json["data"]["kind"] == "Query"
    assert len(result.json["data"]["message"]) < 200
    assert requester.commands == []


def test_a_refused_limit_says_what_is_allowed():
    client, _ = native()
    result = client.simulate_get("/session", query_string="limit=0")
    assert result.json["data"]["message"] == "limit: '0' is not an integer from 1 to 10000"


def test_patch_changes_the_given_fields():
    client, requester = native(b"{}")
    body = '{"title":"new","time":{"archived":1790000000000}}'
    answered(client.simulate_patch("/session/ses_1", body=body), b"{}")
    assert requester.commands == [
        SessionPatch("ses_1", PatchBody(title="new", time=PatchTime(archived=1790000000000)))
    ]


def test_patch_needs_a_body():
    client, requester = native()
    result = client.simulate_patch("/session/ses_1")
    assert result.status_code == 400
    assert "empty" in result.json["data"]["message"]
    assert requester.commands == []


def test_patch_names_a_wrong_field():
    client, _ = native()
    refused(client.simulate_patch("/session/s", body='{"time":{"archived":"x"}}'), "time.archived")


def test_delete_answers_true():
    client, requester = native(b"true")
    answered(client.simulate_delete("/session/ses_1"), b"true")
    assert requester.commands == [SessionDelete("ses_1")]


def test_status_is_no_session():
    client, requester = native(b'{"ses_1":{"type":"busy"}}')
    result = client.simulate_get("/session/status", query_string="directory=/a")
    answered(result, b'{"ses_1":{"type":"busy"}}')
    assert requester.commands == [Statuses("/a")]
