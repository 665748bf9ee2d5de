"""What bodies may hold: one by one, and all together."""

import falcon
import gevent
import pytest
from falcon.testing import TestClient
from gevent.event import Event

from bus.answers import Done
from gateway.errors import install_error_handlers
from gateway.resources import add_native_routes
from gateway.unknown_routes import UnknownRoutes
from tests.fakes.requester import DEFAULT_DIRECTORY, ScriptedRequester, native
from tests.processes import DEADLINE_S

MIB = 1024 * 1024


class Slow(ScriptedRequester):
    """Answers when it is let go."""

    def __init__(self):
        super().__init__()
        self.go = Event()

    def call(self, command, deadline_s=None):
        super().call(command, deadline_s)
        self.go.wait()
        return Done(1, b'{"messageID":"msg_1"}')


def small_server(requester):
    """Serve with a bound of one MiB for a prompt."""
    app = falcon.App()
    install_error_handlers(app, UnknownRoutes())
    add_native_routes(app, requester, DEFAULT_DIRECTORY, max_message=MIB)
    return TestClient(app)


def prompt(size):
    return '{"parts":[{"type":"text","text":"' + "x" * size + '"}]}'


def post(client, size):
    return client.simulate_post("/session/s/prompt_async", body=prompt(size))


def test_a_prompt_over_the_bound_is_refused_by_its_name():
    client = small_server(ScriptedRequester())
    result = post(client, MIB)
    assert (result.status_code, result.json["name"]) == (413, "ContentTooLargeError")
    assert result.json["data"]["bound"] == "--max-message"


@pytest.mark.parametrize(("method", "path"), [("POST", "/session"), ("PATCH", "/session/s")])
def test_what_is_no_prompt_is_small(method, path):
    client, requester = native()
    result = client.simulate_request(method, path, body='{"title":"' + "t" * MIB + '"}')
    assert result.status_code == 413
    assert result.json["data"]["bound"] == "bodies other than prompts"
    assert requester.commands == []


def test_bodies_that_are_held_leave_no_room_for_another_large_one_but_for_small_ones():
    requester = Slow()
    client = small_server(requester)
    held = [gevent.spawn(post, client, MIB - 100) for _ in range(2)]
    gevent.sleep(0)
    result = post(client, MIB // 2)
    assert (result.status_code, result.json["name"]) == (503, "ServiceUnavailableError")
    assert result.json["data"]["bound"] == "--max-message"
    assert result.headers["retry-after"] == "1"
    small = gevent.spawn(post, client, 1000)
    gevent.sleep(0)
    requester.go.set()
    assert [one.get(timeout=DEADLINE_S).status_code for one in (*held, small)] == [204] * 3
    assert post(client, MIB // 2).status_code == 204


def test_a_body_that_is_refused_gives_its_room_back():
    app = falcon.App()
    install_error_handlers(app, UnknownRoutes())
    add_native_routes(app, ScriptedRequester(), DEFAULT_DIRECTORY, max_message=MIB)
    client = TestClient(app)
    for _ in range(5):
        assert client.simulate_post("/session/s/message", body="x" * (MIB - 1)).status_code == 400
    assert post(client, MIB - 100).status_code != 503


def test_numbers_that_grow_on_the_bus_are_bounded_by_what_the_bus_takes():
    client, requester = native()
    body = prompt(1)[:-3] + ',"metadata":{"n":[' + ",".join(["1e9"] * 7_500_000) + "]}}]}"
    result = client.simulate_post("/session/s/message", body=body)
    assert result.status_code == 413
    assert result.json["data"]["bound"] == "commands on the bus"
    assert requester.commands == []


def test_a_prompt_has_a_thousand_parts_at_most():
    client, requester = native()
    part = '{"type":"text","text":""}'
    body = '{"parts":[' + ",".join([part] * 1001) + "]}"
    result = client.simulate_post("/session/s/message", body=body)
    assert (result.status_code, result.json["data"]["field"]) == (400, "parts")
    assert "1000" in result.json["data"]["message"]
    assert requester.commands == []
