"""The table of rules against the routes that there are."""

import json
import re
from pathlib import Path

import pytest

from bus.process.heart import Heart, Notifier
from gateway import settings
from gateway.access.principal import Action
from gateway.access.rules import Place, Rule, Rules
from gateway.app import Worker
from gateway.monitor.boards import Boards
from gateway.own_routes import own_route
from gateway.workers.descriptors import DescriptorRoom

MODES = {"native": Rules(False), "upstream": Rules(True)}
FLAGS = {"native": [], "upstream": ["--upstream", "http://127.0.0.1:9"]}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    """The resources of a worker's routes in each mode, by template."""
    bus = f"ipc://{tmp_path_factory.mktemp('bus')}"
    room, heart = DescriptorRoom(10, 10), Heart(Notifier(""))
    workers = (
        Worker(settings.read(["--bus", bus, *flags], {}), room, Boards(4), 0, heart, b"key")
        for flags in FLAGS.values()
    )
    return {mode: worker.router.resources for mode, worker in zip(FLAGS, workers, strict=True)}


def taken(resource: object) -> set[str]:
    return {one for one in METHODS if hasattr(resource, f"on_{one.lower()}")}


@pytest.mark.parametrize("mode", MODES)
def test_every_route_has_a_rule_for_each_of_its_methods(routes, mode):
    assert len(routes[mode]) > 20
    for template, resource in routes[mode].items():
        for method in taken(resource):
            found = MODES[mode].of(method, template.replace("{", "").replace("}", ""))
            assert found.known, f"{method} {template} has no rule in gateway/access/rules.py"


def test_no_rule_is_for_a_route_that_is_not_there(routes):
    for template, methods in MODES["native"].templates.items():
        assert set(methods) <= taken(routes["native"].get(template)), template


@pytest.mark.parametrize("mode", MODES)
def test_a_route_without_a_rule_is_for_principals_without_a_scope(mode):
    rules = MODES[mode]
    for method, action in (("GET", Action.READ), ("HEAD", Action.READ), ("POST", Action.WRITE)):
        found = rules.of(method, "/pty/shells/unknown")
        assert (found.known, found.rule.place, found.rule.action) == (False, Place.SERVER, action)
    assert rules.of("BREW", "/session").rule.action is Action.WRITE


@pytest.mark.parametrize("spelt", ["/SESSION/ses_A/", "//session//ses_A", "/x/../session/ses_A"])
def test_a_path_is_read_as_the_routes_read_it(spelt):
    found = MODES["native"].of("HEAD", spelt)
    assert (found.rule.place, found.params) == (Place.SESSION, {"session": "ses_A"})


@pytest.mark.parametrize(
    "path",
    [
        *("/config;x", "/co%6efig;x", "/config;", "/config%3Bx", "/instance/dispose;x"),
        *("/config;/../session", "/session/..%2Fconfig", "/session/%2e%2e/config", "/x\\config"),
        *("/session/./x", "/session/..", "/c%6fnfig2", "/a%3Fb", "/a%23b", "/a%25b"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_an_upstream_may_read_otherwise_is_for_administrators(method, path):
    assert MODES["upstream"].of(method, path).rule == Rule(Action.ADMIN, Place.SERVER)


@pytest.mark.parametrize("path", ["/api/fs/read/a%20b", "/file", "/a%C3%A4", "/API/pty/pty_1/"])
def test_an_unknown_path_in_its_plain_spelling_is_a_read(path):
    assert MODES["upstream"].of("GET", path).rule == Rule(Action.READ, Place.SERVER)


ROUTES_OF_OPENCODE = json.loads(Path("tests/recordings/openapi.json").read_text())["paths"]
HOLD_SECRETS = re.compile(
    r"/auth/|(/api)?/pty|/mcp|/provider/.+/oauth|/api/integration/.|/api/credential|"
    r"/experimental/console/switch|/global/(?!health|event)|/instance/dispose"
)
# Reads that show neither a key nor a terminal's content.
SHOW_LITTLE = {
    *("/pty", "/pty/shells", "/pty/{ptyID}", "/api/pty", "/api/pty/{ptyID}", "/mcp"),
    *("/api/integration/{integrationID}", "/api/integration/attempt/{attemptID}"),
}


# An opencode answers them with files, and does not describe them.
OF_THE_WEB_APP = {
    *("/", "/assets/{name}", "/{name}.ico", "/{name}.png", "/{name}.svg", "/site.webmanifest"),
    *("/new-session", "/L{folder}/session", "/L{folder}/session/{page}"),
    *("/server/{server}/session", "/server/{server}/session/{page}"),
}


def test_each_rule_for_an_upstream_is_for_a_route_that_an_opencode_has():
    known = {re.sub("{.*?}", "{}", path): methods for path, methods in ROUTES_OF_OPENCODE.items()}
    for template, rules in MODES["upstream"].templates.items():
        own = own_route(template) is not None or template in OF_THE_WEB_APP
        methods = known.get(re.sub("{.*?}", "{}", template), {})
        assert own or {one.lower() for one in rules} <= set(methods), template


def test_keys_and_terminals_of_an_upstream_are_for_administrators():
    checked = 0
    for path, methods in ROUTES_OF_OPENCODE.items():
        for method in (one.upper() for one in methods if one.upper() in METHODS):
            is_free = method == "GET" and path in SHOW_LITTLE
            if HOLD_SECRETS.match(path) and not is_free:
                action = MODES["upstream"].of(method, re.sub("[{}]", "", path)).rule.action
                assert action is Action.ADMIN, (method, path)
                checked += 1
    assert checked > 25


@pytest.mark.parametrize("path", ["/api/provider", "/api/model", "/api/provider/anthropic"])
def test_what_may_hold_keys_needs_a_write_grant_in_front_of_an_upstream(path):
    assert MODES["upstream"].of("GET", path).rule.action is Action.WRITE
