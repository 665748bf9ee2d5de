"""A gateway process on a bus of the tests' own, and a folder for the sockets of such a bus."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.blackbox.source import Source, source
from tests.processes import Running, free_port, running


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for a ``with`` block, with a path that is short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="weir-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class GatewayOnBus(NamedTuple):
    """A gateway process, and the source it listens to."""

    url: str
    source: Source
    running: Running
    folder: Path


@contextmanager
def gateway_on_bus(folder: Path, *flags: str, workers: int = 1) -> Iterator[GatewayOnBus]:
    """Run a gateway with its bus in `folder` for the time of a ``with`` block."""
    port = free_port()
    with source(folder / "bus") as bus:
        command = ["-m", "gateway", "--bus", bus.url, "--port", str(port)]
        command += ["--workers", str(workers), *flags]
        with running(*command, log=folder / "gateway.log", cwd=folder) as process:
            bus.wait_for_workers(workers)
            process.says("Listening at")
            yield GatewayOnBus(f"http://127.0.0.1:{port}", bus, process, folder)
