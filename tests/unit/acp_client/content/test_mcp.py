"""MCP servers in the shapes that editors send."""

import pytest

from acp_client.content.mcp import servers_of

BARE = {"type": "local", "command": ["x"], "environment": {}}


@pytest.mark.parametrize("given", [None, [], {}])
def test_none_are_none(given):
    assert servers_of(given) == ([], [])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"type": None},
        {"type": "stdio", "args": [], "env": []},
        {"args": None, "env": None, "url": None, "headers": None},
        {"args": {}, "env": {}, "headers": {}, "url": ""},
        {"_meta": {"a": [1]}, "type": 7},
    ],
)
def test_what_is_empty_may_have_any_empty_shape(more):
    [server], problems = servers_of([{"name": "one", "command": "x", **more}])
    assert (server.name, server.config, problems) == ("one", BARE, [])


@pytest.mark.parametrize(
    ("entry", "config"),
    [
        ({"command": ["x", "-y"], "args": [1]}, {**BARE, "command": ["x", "-y", "1"]}),
        (
            {"command": "x", "env": {"A": 1, "B": True}},
            BARE | {"environment": {"A": "1", "B": "true"}},
        ),
        (
            {"command": "x", "env": [{"name": "A", "value": "b"}]},
            BARE | {"environment": {"A": "b"}},
        ),
        ({"type": "sse", "url": "http://h"}, {"type": "remote", "url": "http://h", "headers": {}}),
        (
            {"type": None, "url": "http://h", "headers": [{"name": "A", "value": "b"}]},
            {"type": "remote", "url": "http://h", "headers": {"A": "b"}},
        ),
        (
            {"type": "http", "url": "http://h", "command": "x", "headers": {"A": "b"}},
            {"type": "remote", "url": "http://h", "headers": {"A": "b"}},
        ),
    ],
)
def test_a_server_is_read_in_any_shape(entry, config):
    for given in ([{"name": "one", **entry}], {"one": entry}):
        [server], problems = servers_of(given)
        assert (server.name, server.config, problems) == ("one", config, [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (7, "mcpServers: a list of objects is expected, not a number"),
        ([7], "mcpServers[0]: an object is expected, not a number"),
        ([None], "mcpServers[0]: an object is expected, not null"),
        ({"a": "b"}, "mcpServers.a: an object is expected, not a text"),
        ([{"command": "x"}], "mcpServers[0]: name: a text is expected"),
        (
            [{"name": "a"}],
            "mcpServers[0]: a: there is neither command nor url; give one of them",
        ),
        ([{"name": "a", "command": {"s3cret": 1}}], "command: a text is expected, not an object"),
        (
            [{"name": "a", "command": "x", "args": "s3cret"}],
            "args: a list is expected, not a text",
        ),
        ([{"name": "a", "command": "x", "args": [["s3cret"]]}], "args: a text is expected"),
        ([{"name": "a", "command": "x", "env": ["s3cret"]}], "env[0]: an object with name"),
        ([{"name": "a", "command": "x", "env": [{"name": "A"}]}], "env[0].value: a text is"),
        ([{"name": "a", "url": "http://h", "headers": {"A": ["s3cret"]}}], "headers.A: a text is"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_value_and_the_rest_is_used(given, words):
    _, [problem] = servers_of(given)
    assert words in problem
    assert "s3cret" not in problem
    if isinstance(given, list):
        servers, _ = servers_of([*given, {"name": "good", "command": "x"}])
        assert [server.name for server in servers] == ["good"]
