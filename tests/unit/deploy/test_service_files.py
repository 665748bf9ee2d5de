"""The files that run weir elsewhere say nothing that weir or systemd would refuse."""

import re
import shutil
import subprocess
import sys

import pytest

from deploy import up
from tests.processes import ROOT

UNIT = ROOT / "deploy" / "weir.service"
COMPOSE = ROOT / "deploy" / "compose.yaml"


@pytest.mark.parametrize(
    ("file", "words"),
    [(UNIT, r"^ExecStart=\S+/weir up (.*)$"), (COMPOSE, r"^    command: up (.*)$")],
    ids=["systemd", "compose"],
)
def test_the_command_is_one_that_weir_takes(file, words):
    [given] = re.findall(words, file.read_text(), re.MULTILINE)
    options = up.read(given.replace("${STATE_DIRECTORY}", "/state").split(), {})
    assert str(options.state) == "/state"
    assert options.port == 4097


def test_the_container_gets_all_that_is_installed():
    configured = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    packages = re.findall(r'"(\w+)\*"', configured[1])
    assert len(packages) > 4
    for package in packages:
        assert f"COPY {package} {package}\n" in COMPOSE.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    # It wants the command to be there.
    unit.write_text(UNIT.read_text().replace("/opt/weir/.venv/bin/weir", sys.executable))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=30
    )
    assert [line for line in verified.stderr.splitlines() if UNIT.name in line] == []
    assert verified.returncode == 0, verified.stderr
