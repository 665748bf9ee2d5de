"""An answer that is late on purpose."""

import falcon
import gevent
import pytest
from falcon.testing import TestClient

from gateway.errors import install_error_handlers
from gateway.resources.hold import HoldRoute
from gateway.unknown_routes import UnknownRoutes
from tests.processes import DEADLINE_S


@pytest.fixture
def client():
    app = falcon.App()
    install_error_handlers(app, UnknownRoutes())
    app.add_route("/weir/hold", HoldRoute())
    return TestClient(app)


def test_it_is_as_late_as_it_is_asked_to_be(client):
    with gevent.Timeout(DEADLINE_S):
        assert client.simulate_get("/weir/hold").json == {"held_s": 0}
        assert client.simulate_get("/weir/hold?seconds=1").json == {"held_s": 1}
    with gevent.Timeout(0.5, False):
        client.simulate_get("/weir/hold?seconds=1")
        pytest.fail("it does not wait")


@pytest.mark.parametrize("seconds", ["-1", "x", "301", "1.5", "9" * 99])
def test_it_waits_within_bounds(client, seconds):
    result = client.simulate_get(f"/weir/hold?seconds={seconds}")
    assert (result.status_code, result.json["data"]["field"]) == (400, "seconds")


def test_few_are_held_at_once(client):
    held = [gevent.spawn(client.simulate_get, "/weir/hold?seconds=300") for _ in range(8)]
    gevent.sleep(0)
    refused = client.simulate_get("/weir/hold?seconds=1")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    gevent.killall(held)
    assert client.simulate_get("/weir/hold?seconds=0").status_code == 200
