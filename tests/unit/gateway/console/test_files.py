"""The console's page and files: types, caching, and where they are found."""

import base64
import gzip
import hashlib
import re

import falcon
import pytest
from falcon import testing

from gateway.console import add_console
from gateway.console.assets import Assets
from gateway.console.resources import base_of
from gateway.errors import install_error_handlers
from gateway.router import Router
from gateway.unknown_routes import UnknownRoutes

MOST_VENDORED_BYTES = 40 * 1024


@pytest.fixture(scope="module")
def client():
    app = falcon.App(router=Router())
    install_error_handlers(app, UnknownRoutes())
    add_console(app, at_root=True)
    return testing.TestClient(app)


def files_of(client):
    """Return the paths of the files that the page names."""
    page = client.simulate_get("/weir/console").text
    return [f"/weir/console/{path}" for path in re.findall(r'(?:href|src)="(static/[^"]+)"', page)]


@pytest.mark.parametrize("view", ["", "/overview", "/readers", "/tail", "/sessions/ses_AbC"])
def test_the_page_is_at_its_address_and_at_those_of_its_views(client, view):
    answer = client.simulate_get(f"/weir/console{view}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    [inline] = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert [one for one in policy if "script" in one] == [
        f"script-src 'self' 'sha256-{allowed}'",
        "require-trusted-types-for 'script'",
    ]
    assert "default-src 'self'" in policy
    assert " style=" not in answer.text


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/weir/console", "console/"),
        ("/weir/console/", "./"),
        ("/weir/console/readers", "./"),
        ("/Weir/Console/readers/", "../"),
        ("/weir/console/sessions/ses_1", "../"),
        ("/weir//console", "console/"),
    ],
)
def test_the_base_leads_to_the_console_from_every_address_of_the_page(path, base):
    assert base_of(path) == base


def test_files_have_a_type_and_are_kept_for_ever(client):
    paths = files_of(client)
    assert len(paths) > 5
    for path in paths:
        answer = client.simulate_get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert (
            kind
            == {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[
                path.rpartition(".")[2]
            ]
        )
        plain = client.simulate_get(path)
        assert gzip.decompress(answer.content) == plain.content
        again = client.simulate_get(path, headers={"If-None-Match": plain.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_imports_between_modules_lead_to_files(client):
    page = client.simulate_get("/weir/console").text
    version = re.search(r"static/([0-9a-f]+)/", page)[1]
    wanted, seen = {"app.js"}, set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        answer = client.simulate_get(f"/weir/console/static/{version}/{name}")
        assert answer.status_code == 200, name
        folder = name.rpartition("/")[0]
        for path in re.findall(r'^import [^"]+ from "(.+?)";', answer.text, re.MULTILINE):
            found = "/".join(filter(None, [folder, path.removeprefix("./")]))
            found = re.sub(r"[a-z]+/\.\./", "", found)
            wanted |= {found} - seen
    assert {"vendor/lit-html.js", "views/overview.js", "markdown.js"} <= seen


def test_no_file_has_a_capital_in_its_name():
    # In relay mode the door looks for weir's own routes in lower case.
    names = Assets().named
    assert [name for name in names if name != name.lower()] == []


@pytest.mark.parametrize(
    "path", ["static/0000000000000000/app.js", "static/x/../../../secret", "nothing", "static"]
)
def test_what_the_console_does_not_have_is_a_404_in_json(client, path):
    answer = client.simulate_get(f"/weir/console/{path}")
    assert answer.status_code == 404
    assert answer.json["name"] == "NotFoundError"


def test_the_root_leads_to_the_page_where_weir_is_the_server(client):
    answer = client.simulate_get("/")
    assert (answer.status_code, answer.headers["Location"]) == (307, "weir/console")


def test_what_is_vendored_is_small_and_has_its_licences(client):
    page = client.simulate_get("/weir/console").text
    version = re.search(r"static/([0-9a-f]+)/", page)[1]
    total = 0
    for name in ("lit-html.js", "uplot.js", "uplot.css", "streaming-markdown.js"):
        path = f"/weir/console/static/{version}/vendor/{name}"
        total += len(client.simulate_get(path, headers={"Accept-Encoding": "gzip"}).content)
    assert total < MOST_VENDORED_BYTES
    licences = client.simulate_get(f"/weir/console/static/{version}/vendor/licences.txt").text
    assert licences.count("Permission is hereby granted") + licences.count("Redistribution") >= 3
