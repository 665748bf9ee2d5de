"""Python processes of a benchmark, run from this repository."""

import os
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from deploy.bench.child import Child as Child
from deploy.bench.child import started

ROOT = Path(__file__).parents[2]


def child(
    *command: str,
    stderr: IO[bytes] | None = None,
    cwd: Path | None = None,
    path: Path | None = None,
) -> AbstractContextManager[Child]:
    """Run ``python COMMAND…`` for the time of a ``with`` block.

    Args:
        command: its words.
        stderr: where its standard error goes; None: to that of this process.
        cwd: where it runs; None: in the root of this repository.
        path: a folder whose modules it and its children see first.
    """
    paths = [str(one) for one in (path, ROOT) if one is not None]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return started([sys.executable, *command], stderr=stderr, cwd=cwd or ROOT, env=env)


def ended_by_sigterm() -> None:
    """Have SIGTERM unwind this process, so that it ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
