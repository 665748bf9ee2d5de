"""What clients ask for when they start."""

import json

import pytest
from jsonschema import validate

from bus.commands import CommandFailed, Describe, SessionGet
from gateway.resources.absent import ANSWERS, OF_A_SESSION
from tests import recorded
from tests.fakes.requester import native

OPENAPI = json.loads((recorded.FOLDER / "openapi.json").read_bytes())
DESCRIBED = [
    "config",
    "config/providers",
    "provider",
    "agent",
    "path",
    "project",
    "project/current",
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


@pytest.mark.parametrize("name", OF_A_SESSION)
def test_an_absent_list_of_a_session_is_empty(name):
    client, requester = native(b'{"id":"ses_1"}')
    result = client.simulate_get(f"/session/ses_1/{name}")
    assert result.json == []
    validate(result.json, schema_of(f"/session/{{sessionID}}/{name}"))
    assert requester.commands == [SessionGet("ses_1")]


@pytest.mark.parametrize("name", OF_A_SESSION)
def test_an_absent_list_of_an_unknown_session_is_a_404(name):
    client, _ = native(CommandFailed("not_found", "there is no session ses_1"))
    assert client.simulate_get(f"/session/ses_1/{name}").status_code == 404
