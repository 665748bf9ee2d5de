"""Where a browser sends the cookie of the console's login."""

import falcon
import pytest
from falcon.testing import TestClient

from gateway.resources.login import LoginRoute


def cookie(**request):
    """Return the header by which a logout removes the cookie."""
    app = falcon.App()
    app.add_route("/weir/login", LoginRoute(None))
    return TestClient(app).simulate_delete("/weir/login", **request).headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("request_", "secure"),
    [
        ({}, False),
        ({"protocol": "https"}, True),
        ({"headers": {"X-Forwarded-Proto": "https"}}, True),
        ({"headers": {"X-Forwarded-Proto": "http"}}, False),
    ],
)
def test_a_cookie_of_a_page_over_tls_leaves_over_tls_alone(request_, secure):
    assert ("Secure" in cookie(**request_)) is secure


@pytest.mark.parametrize(("base", "path"), [("", "/"), ("/weir-app", "/weir-app/")])
def test_a_cookie_goes_to_this_weir_alone(base, path):
    assert f"Path={path}" in cookie(root_path=base).replace(" ", "").split(";")
