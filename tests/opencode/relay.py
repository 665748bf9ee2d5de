"""``weir up`` in front of a real opencode."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.blackbox.weir_up import Up, weir_up
from tests.opencode.server import Opencode
from tests.processes import ROOT

UPSTREAM = "--upstream"


@cache
def can_relay() -> bool:
    """Tell whether this weir has a flag for its upstream."""
    asked = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "up", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return UPSTREAM in asked.stdout


needs_upstream = pytest.mark.skipif(not can_relay(), reason=f"weir up has no {UPSTREAM} yet")


@contextmanager
def weir_before(opencode: Opencode, folder: Path, *flags: str) -> Iterator[Up]:
    """Run a relay of `opencode` with its state under `folder`."""
    with weir_up(folder, UPSTREAM, opencode.url, *flags) as up:
        yield up


def readiness(up: Up) -> tuple[int, dict]:
    """Return status and body of ``/weir/readyz``."""
    reply = up.call("GET", "/weir/readyz")
    return reply.status, reply.body
