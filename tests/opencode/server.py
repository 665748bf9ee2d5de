"""A real opencode as a server under test: started, killed, started again, and ended."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import process_tree
from tests.http_client import call
from tests.opencode import home
from tests.opencode.install import VERSION, binary
from tests.processes import free_port, wait_until

START_S = 240.0
PROJECTS = ("project-a", "project-b")
_LISTENING = "opencode server listening on "
_PROBE_S = 10.0
_STOP_S = 5.0
_PR_SET_PDEATHSIG = 1


class Opencode:
    """An ``opencode serve`` with folders, port and settings of its own.

    Attributes:
        url: where it listens, also after a restart.
        version: what it is.
        projects: two git repositories to work in.
        log: path of its output, of all its lives.
    """

    def __init__(self, program: Path, version: str, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.version = version
        self.projects = [home.project(folder / name) for name in PROJECTS]
        self.log = folder / "opencode.log"
        self._command = [str(program), "serve", "--port", str(port), "--hostname", "127.0.0.1"]
        self._env: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and not ended since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process id; it changes with a restart."""
        assert self._process is not None, "opencode does not run"
        return self._process.pid

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it answers; `env` holds also for later starts.

        Raises:
            TimeoutError: it does not answer within `START_S`.
        """
        self._env |= env or {}
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.projects[0],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_along,
            )
        # A request that comes before this line may wait for ever, so nothing is asked until then.
        wait_until(lambda: self._said(begin, _LISTENING), START_S, "opencode listening")
        wait_until(self._healthy, START_S, "opencode's health")

    def kill(self) -> None:
        """End it by SIGKILL, and all it has started."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it if it runs, and start it again: same port, same folders."""
        self.kill()
        self.start()

    def _said(self, begin: int, words: str) -> bool:
        assert self._process is not None
        said = self.log.read_bytes()[begin:].decode(errors="replace")
        if words not in said and self._process.poll() is not None:
            raise RuntimeError(f"opencode ended:\n{said}")
        return words in said

    def _healthy(self) -> bool:
        with contextlib.suppress(OSError):
            return call("GET", f"{self.url}/global/health", timeout_s=_PROBE_S).status == 200
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        # Its tools' processes are in groups of their own, and would outlive it.
        children = process_tree.below(process.pid)
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)


@contextmanager
def start_opencode(
    folder: Path,
    provider_url: str,
    version: str = VERSION,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    snapshots: bool = True,
) -> Iterator[Opencode]:
    """Run an opencode that lives in `folder` for the time of a ``with`` block.

    Args:
        folder: where its home, its settings, its log and its projects are put.
        provider_url: of the scripted provider, with ``/v1`` at its end.
        version: one of those that `tests.opencode.install` knows.
        port: to listen on; None for a free one.
        env: what to add to its environment.
        snapshots: whether it keeps track of its projects' files.

    Raises:
        NotInstalled: this machine cannot have it.
    """
    server = Opencode(binary(version), version, folder, port or free_port())
    settings = home.configured(folder, provider_url, snapshots)
    try:
        server.start({**home.environment(folder), **settings, **(env or {})})
        yield server
    finally:
        server.stop()


def _die_along() -> None:
    """Have the kernel end the child when this process is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
