"""The unmodified opencode SDK walks every route of weir that it has a method for."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from gateway.resources.table import TABLE
from tests.blackbox.conftest import SDK
from tests.blackbox.weir_up import Up, weir_up
from tests.processes import DEADLINE_S

PACKAGE = SDK / "node_modules" / "@opencode-ai" / "sdk" / "dist"
GENERATED = {"v1": PACKAGE / "gen" / "sdk.gen.js", "v2": PACKAGE / "v2" / "gen" / "sdk.gen.js"}
METHOD = re.compile(r"\.(get|post|patch|delete)\(\{\s*url: \"([^\"]+)\"")
VARIABLE = re.compile(r"{\w+}")
OF_WEIR = "/weir/"


def shape(path: str) -> str:
    """Return a path without the names of its variables."""
    return VARIABLE.sub("{}", path)


def served(version: str) -> set[tuple[str, str]]:
    """Return the routes of weir that a version of the SDK has a method for."""
    known = {
        (method.upper(), shape(path))
        for method, path in METHOD.findall(GENERATED[version].read_text())
    }
    routes = {(one.method, shape(one.path)) for one in TABLE if one.refused is None}
    return routes & known


@pytest.fixture(scope="module")
def demo_up(tmp_path_factory: pytest.TempPathFactory):
    with weir_up(tmp_path_factory.mktemp("walked"), "--workers", "1") as up:
        yield up


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_sdk_walks_every_route(demo_up: Up, node: str, version: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("needle\n")
    flags = ["--v1"] if version == "v1" else []
    command = [node, str(SDK / "walk.mjs"), *flags, demo_up.url, str(tmp_path)]
    walk = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    assert walk.returncode == 0, f"{walk.stderr}\n{walk.stdout[-500:]}"
    requests = [json.loads(line) for line in walk.stdout.splitlines()]
    assert [one for one in requests if one[2] >= 300] == []
    walked = {(method, path) for method, path, _ in requests}
    missing = {
        (method, path)
        for method, path in served(version)
        if not any(
            method == one and re.fullmatch(path.replace("{}", "[^/]+"), at) for one, at in walked
        )
    }
    assert missing == set()


def test_the_sdk_knows_every_route_but_those_of_weir_alone() -> None:
    routes = {(one.method, shape(one.path)) for one in TABLE if one.refused is None}
    own = {"/weir/search", "/weir/session/{}/output/{}"}
    assert {path for _, path in routes - served("v2")} == own
