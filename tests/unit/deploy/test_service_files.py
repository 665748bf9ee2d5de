"""The files that run weir elsewhere say nothing that weir or systemd would refuse."""

import re
import shutil
import subprocess

import pytest

from deploy import up
from deploy.files import Installation, texts
from tests.processes import DEADLINE_S, ROOT
from tests.unit.deploy.container import service

UNIT = ROOT / "deploy" / "weir.service"


def command_of_the_unit():
    [given] = re.findall(r'^ExecStart="[^"]+/weir" up (.*)$', UNIT.read_text(), re.MULTILINE)
    return given.replace("${STATE_DIRECTORY}", "/state")


def command_of_the_container():
    [given] = re.findall(r"^weir up (.*) &$", service()["command"][-1], re.MULTILINE)
    return given


@pytest.mark.parametrize("given", [command_of_the_unit, command_of_the_container])
def test_the_command_is_one_that_weir_takes(given):
    options = up.read(given().split(), {})
    assert str(options.state) == "/state"
    assert options.port == 4097


def test_the_image_gets_all_that_is_installed_and_nothing_else():
    configured = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    packages = set(re.findall(r'"(\w+)\*"', configured[1])) - {"weir"}  # which lies in deploy
    assert len(packages) > 4
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    assert let_in == {*packages, "LICENSE", "README.md", "pyproject.toml"}


# Of a path, systemd reads spaces, quotes, backslashes and percent signs in its own way.
@pytest.mark.parametrize("folder", ["plain", "a b", "50% ü $HOME", 'it\'s "$HOME" \\'])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path, folder):
    # It wants the command to be there.
    command = tmp_path / folder / "weir"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(texts(Installation("1.0", command))[UNIT.name])
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert [line for line in verified.stderr.splitlines() if UNIT.name in line] == []
    assert verified.returncode == 0, verified.stderr
