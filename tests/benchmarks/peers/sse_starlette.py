"""sse-starlette: event streams in Python's asyncio, served by uvicorn with one process."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.posted import posted
from tests.benchmarks.peers.venv import SSE_STARLETTE, python_with
from tests.processes import free_port

_STOP_S = 20.0


@contextmanager
def sse_starlette(flags: Sequence[str] = ()) -> Iterator[Peer]:
    """Run the application of `starlette_app`."""
    python = python_with(SSE_STARLETTE)
    port = free_port()
    command = [str(python), "-m", "uvicorn", "starlette_app:app", "--port", str(port)]
    command += ["--log-level", "error", "--no-access-log", "--backlog", "4096"]
    process = subprocess.Popen(command, cwd=Path(__file__).parent / "outside")
    try:
        with posted(f"http://127.0.0.1:{port}", "sse-starlette", [process.pid]) as peer:
            yield peer
    finally:
        # It would wait for its streams to end.
        process.kill()
        process.wait(_STOP_S)
