"""What a stream may ask for: it holds that for as long as it is open."""

import falcon
import pytest
from falcon.testing import TestClient

from gateway.errors import install_error_handlers
from gateway.relay import Endpoint
from gateway.resources.events import EventStreamRoute
from gateway.unknown_routes import UnknownRoutes

UNUSED = None
LONGEST = "x" * 128


def asked(query: str):
    app = falcon.App()
    install_error_handlers(app, UnknownRoutes())
    parts = (Endpoint.GLOBAL, *[UNUSED] * 6)
    app.add_route("/global/event", EventStreamRoute(*parts))
    return TestClient(app).simulate_head("/global/event", query_string=query)


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"session=ses_{n}" for n in range(256)),
        "session=a&" * 3000 + "session=a",
        "&".join(f"session={n:032}" for n in range(256)),
        f"session={LONGEST}",
        "session=",
        *("frame_hz=", "frame_hz=0", "frame_hz=0.5", "frame_hz=30", "frame_hz=1000"),
    ],
)
def test_so_many_sessions_can_be_followed(query):
    assert asked(query).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"session=ses_{n}" for n in range(257)),
        "&".join(f"session={n:032}" for n in range(256)) + "0",
        f"session={LONGEST}x",
        "superseded=x",
    ],
)
def test_what_a_stream_cannot_hold_is_refused(query):
    assert asked(query).status_code == 400


@pytest.mark.parametrize(
    "given", ["-1", "1001", "nan", "inf", "often", "1e9999", "0x10", "30,60", "1" * 5000]
)
def test_a_pace_that_is_none_is_refused_with_what_is_allowed(given):
    answer = asked(f"frame_hz={given}")
    assert answer.status_code == 400
