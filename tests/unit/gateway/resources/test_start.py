"""What clients ask for when they start."""

import json

import pytest
from jsonschema import validate

from bus.answers import CommandFailed
from bus.commands import Describe, SessionDiff
from gateway.resources.table import TABLE
from tests import recorded
from tests.fakes.requester import native

OPENAPI = json.loads((recorded.FOLDER / "openapi.json").read_bytes())
ANSWERS = [route.path for route in TABLE if route.fixed is not None]
REFUSED = [route for route in TABLE if route.refused is not None]
DESCRIBED = [
    "config",
    "config/providers",
    "provider",
    "agent",
    "path",
    "project",
    "project/current",
    "experimental/tool",
    "experimental/tool/ids",
]


def schema_of(path):
    reply = OPENAPI["paths"][path]["get"]["responses"]["200"]
    return {**reply["content"]["application/json"]["schema"], "components": OPENAPI["components"]}


@pytest.mark.parametrize("what", DESCRIBED)
def test_descriptions_are_the_processors(what):
    client, requester = native(b'{"a":1}')
    result = client.simulate_get(f"/{what}", query_string="directory=/a")
    assert result.content == b'{"a":1}'
    assert result.headers["content-type"] == "application/json"
    assert requester.commands == [Describe(what, "/a")]


@pytest.mark.parametrize("path", ANSWERS)
def test_what_is_absent_has_the_documented_shape(path):
    client, requester = native()
    result = client.simulate_get(path)
    assert result.status_code == 200
    assert result.headers["content-type"] == "application/json"
    validate(result.json, schema_of(path))
    assert requester.commands == []


@pytest.mark.parametrize("route", REFUSED, ids=lambda route: f"{route.method} {route.path}")
def test_what_is_refused_says_why(route):
    client, requester = native()
    result = client.simulate_request(route.method, route.path.replace("{session}", "ses_1"))
    served = [one.method for one in TABLE if one.path == route.path and one.refused is None]
    assert result.status_code == (405 if served else 404)
    assert result.headers.get("allow") == (", ".join([*served, "OPTIONS"]) if served else None)
    assert result.json["data"]["message"] == route.refused
    assert requester.commands == []


@pytest.mark.parametrize("route", REFUSED, ids=lambda route: f"{route.method} {route.path}")
def test_options_do_not_name_what_is_refused(route):
    client, _ = native()
    result = client.simulate_options(route.path.replace("{session}", "ses_1"))
    allowed = set(filter(None, result.headers["allow"].split(", ")))
    served = {one.method for one in TABLE if one.path == route.path and one.refused is None}
    assert allowed == served | ({"HEAD"} if "GET" in served else set())


def test_the_diff_of_an_unknown_session_is_a_404():
    client, requester = native(CommandFailed("not_found", "there is no session ses_1"))
    query = "messageID=msg_1"
    assert client.simulate_get("/session/ses_1/diff", query_string=query).status_code == 404
    assert requester.commands == [SessionDiff("ses_1", "msg_1")]
