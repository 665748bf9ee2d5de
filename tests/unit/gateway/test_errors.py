"""Every failure has its status, and JSON of the shape that opencode documents."""

import json
import logging

import pytest
from jsonschema import validate

from bus.answers import CommandFailed
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from tests import recorded
from tests.fakes.requester import native

SCHEMAS = json.loads((recorded.FOLDER / "openapi.json").read_bytes())["components"]["schemas"]


def is_an_error(result, status, name):
    assert result.status_code == status
    assert result.headers["content-type"] == "application/json"
    assert result.json["name"] == name
    assert result.json["data"]["message"]


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        ("invalid", 400, "BadRequest"),
        ("not_found", 404, "NotFoundError"),
        ("conflict", 409, "ConflictError"),
        ("full", 429, "TooManyRequestsError"),
        ("unavailable", 503, "ServiceUnavailableError"),
        ("no_room", 507, "InsufficientStorageError"),
        ("internal", 500, "UnknownError"),
    ],
)
def test_a_refused_command_answers_in_the_processors_words(kind, status, name):
    client, _ = native(CommandFailed(kind, "what the processor says"))
    result = client.simulate_get("/session/ses_1")
    is_an_error(result, status, name)
    assert result.json["data"]["message"] == "what the processor says"


def test_a_bound_that_is_reached_is_named_and_says_when_to_come_back():
    error = CommandFailed("full", "too many wait", bound="--max-prompts", retry_after_s=5)
    client, _ = native(error)
    result = client.simulate_get("/session/ses_1")
    assert result.json["data"] == {"message": "too many wait", "bound": "--max-prompts"}
    assert result.headers["retry-after"] == "5"


def test_a_refusal_that_will_not_pass_does_not_ask_to_come_back():
    client, _ = native(CommandFailed("no_room", "full", bound="--state-quota"))
    assert "retry-after" not in client.simulate_get("/session/ses_1").headers


def test_a_processor_that_is_gone_is_worth_another_try():
    client, _ = native(ProcessorGone("the processor no longer answers"))
    result = client.simulate_get("/session/ses_1")
    is_an_error(result, 503, "ServiceUnavailableError")
    assert result.headers["retry-after"] == "1"


def test_an_answer_that_is_late():
    client, _ = native(DeadlineExceeded("no answer within 10 s"))
    is_an_error(client.simulate_get("/session/ses_1"), 504, "DeadlineExceededError")


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", "text/event-stream"])
def test_an_unknown_route_is_json_whatever_is_accepted(accept):
    client, _ = native()
    result = client.simulate_get("/no/such%20route", headers={"Accept": accept})
    is_an_error(result, 404, "NotFoundError")
    assert result.json["data"]["message"] == "there is no route GET /no/such route"


@pytest.mark.parametrize("path", ["/log", "/session/ses_1/knife", "/permission/per_1/forget"])
def test_what_is_not_there_is_not_faked(path):
    client, _ = native()
    is_an_error(client.simulate_post(path, body="{}"), 404, "NotFoundError")


def test_a_method_that_a_route_does_not_take():
    client, _ = native()
    result = client.simulate_put("/session")
    is_an_error(result, 405, "MethodNotAllowedError")
    assert set(result.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    assert "PUT" in result.json["data"]["message"]


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_a_method_that_does_not_exist():
    client, _ = native()
    result = client.simulate_request("BREW", "/session")
    is_an_error(result, 400, "BadRequest")
    assert "method" in result.json["data"]["message"]


def test_an_unexpected_exception_is_logged_once_and_not_told(caplog):
    client, _ = native(RuntimeError("secret detail"))
    with caplog.at_level(logging.DEBUG):
        result = client.simulate_get("/session/ses_1")
    is_an_error(result, 500, "UnknownError")
    assert "secret" not in result.text
    assert "Traceback" not in result.text
    [record] = caplog.records
    assert record.name == "weir.gateway"
    assert record.exc_info[1].args == ("secret detail",)
    assert "GET '/session/ses_1'" in record.getMessage()


def test_a_malformed_answer_of_the_processor_is_no_fault_of_the_client():
    client, _ = native(b'{"id":"msg_1"}')
    body = '{"parts":[{"type":"text","text":"a"}]}'
    is_an_error(client.simulate_post("/session/ses_1/message", body=body), 500, "UnknownError")


def test_a_400_fits_both_documented_shapes():
    client, _ = native()
    error = client.simulate_post("/session", body='{"title":1}').json
    validate(error, SCHEMAS["BadRequestError"])
    flat = SCHEMAS["InvalidRequestError"]
    validate({key: error[key] for key in flat["properties"]}, flat)


def test_a_404_fits_the_documented_shape():
    client, _ = native(CommandFailed("not_found", "there is no session ses_1"))
    validate(client.simulate_get("/session/ses_1").json, SCHEMAS["NotFoundError"])
