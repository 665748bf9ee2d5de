"""``weir up`` in front of a real opencode."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.blackbox.weir_up import Up, weir_up
from tests.opencode.server import Opencode

UPSTREAM = "--upstream"


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
