"""What the product imports is what it declares: no tool of a developer makes it work."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("bus", "processor", "gateway", "acp_client", "deploy")


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def locked(lock):
    """Return the version of each distribution in a lock."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def imported():
    """Return the distributions that the product imports, also those inside functions."""
    providers = packages_distributions()
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names}:
                if top not in sys.stdlib_module_names and top not in (*PACKAGES, "weir"):
                    yield from (name.lower() for name in providers.get(top, [f"{top} in {file}"]))


def test_every_import_is_declared():
    declared = {name_of(one) for one in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    optional = {name_of(one) for name in extras if name != "dev" for one in extras[name]}
    assert declared <= set(imported()) <= declared | optional


def test_the_lock_for_running_has_what_is_declared_and_no_tool_of_a_developer():
    run = locked("deploy/requirements.lock")
    assert {name_of(one) for one in PROJECT["dependencies"]} <= set(run)
    assert not {name_of(one) for one in PROJECT["optional-dependencies"]["dev"]} & set(run)


def test_both_locks_agree():
    run, dev = locked("deploy/requirements.lock"), locked("requirements-dev.lock")
    assert run == {name: dev.get(name) for name in run}
