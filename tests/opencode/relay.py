"""A real opencode that has loaded its projects, and ``weir up`` in front of one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.blackbox.weir_up import Up, weir_up
from tests.opencode import home
from tests.opencode.api import Api
from tests.opencode.server import Opencode, start_opencode

UPSTREAM = "--upstream"


@contextmanager
def warm_opencode(folder: Path, provider_url: str, version: str) -> Iterator[Opencode]:
    """Run an opencode of a version; the events of its start are over."""
    with start_opencode(folder, provider_url, version, env=home.thrifty(folder)) as server:
        for project in server.projects:
            Api(server.url, str(project)).warm_up()
        yield server


@contextmanager
def weir_before(
    opencode: Opencode, folder: Path, *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[Up]:
    """Run a relay of `opencode` with its state under `folder`."""
    with weir_up(folder, UPSTREAM, opencode.url, *flags, env=env) as up:
        yield up


def readiness(up: Up) -> tuple[int, dict]:
    """Return status and body of ``/weir/readyz``."""
    reply = up.call("GET", "/weir/readyz")
    return reply.status, reply.body
