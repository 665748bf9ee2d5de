"""The unmodified ``opencode attach`` in a terminal that nobody looks at but the test."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import process_tree
from tests.opencode import home
from tests.opencode.install import VERSION, binary
from tests.processes import wait_until

DEADLINE_S = 120.0
COLUMNS, LINES = 120, 50
_TYPED_WITHIN_S = 1.0
"""For the first try; each further one has twice as long, as the machine may be busy."""
_NAME = "tui"
_READY = "Ask anything"
_ENDED = "Pane is dead"


class Terminal:
    """A terminal with one program in it.

    Args:
        socket: of a tmux server of its own, in the folder that the program lives in.
    """

    def __init__(self, socket: Path) -> None:
        self._logs = socket.parent
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]

    def open(self, command: list[str], env: dict[str, str]) -> None:
        """Start `command` in it."""
        size = ("-x", str(COLUMNS), "-y", str(LINES))
        self._do("new-session", "-d", "-s", _NAME, *size, *command, env=env)
        self._do("set-option", "-t", _NAME, "remain-on-exit", "on")

    def close(self) -> None:
        """End the program, and all of tmux."""
        # Some versions outlive their terminal, so they are ended by pid.
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def screen(self) -> str:
        """What it shows now.

        Raises:
            AssertionError: the program has ended.
        """
        shown = self._do("capture-pane", "-p", "-t", _NAME)
        assert _ENDED not in shown, shown
        return shown

    def shows(self, *words: str, deadline_s: float = DEADLINE_S) -> str:
        """Wait until all `words` are on the screen; return what it shows.

        Raises:
            AssertionError: they are not within `deadline_s`.
        """

        def shown() -> str:
            screen = self.screen()
            return screen if all(word in screen for word in words) else ""

        try:
            return wait_until(shown, deadline_s)
        except TimeoutError:
            raise AssertionError(f"no {words} on the screen:\n{self.screen()}") from None

    def enter(self, text: str, without: str = "") -> None:
        """Type a line, and end it once it is on the screen, and `without` is not."""
        self._do("send-keys", "-t", _NAME, "-l", text)
        self.shows(text)
        if without:
            wait_until(lambda: without not in self.screen(), what=f"a screen without {without!r}")
        self.press("Enter")

    def empty(self) -> None:
        """Remove what is typed; unlike ``C-c``, the key never ends the program."""
        self.press("C-u")

    def choose(self, word: str, words: str) -> None:
        """Type a command of the terminal, and choose it once the list offers `words`.

        While it changes to another session, the terminal drops what is typed: then type it anew.
        """
        patience_s = _TYPED_WITHIN_S

        def offered() -> bool:
            nonlocal patience_s
            self.empty()
            self._do("send-keys", "-t", _NAME, "-l", word)
            try:
                return wait_until(lambda: words in self.screen(), patience_s)
            except TimeoutError:
                patience_s *= 2
                return False

        wait_until(offered, what=f"the offer of {words!r}")
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key, named as tmux names it."""
        self._do("send-keys", "-t", _NAME, key)

    def log(self) -> str:
        """Return what the program has logged."""
        files = self._logs.glob("data/opencode/log/*.log")
        return "".join(file.read_text(errors="replace") for file in files)

    def pids(self) -> list[int]:
        """Return the program and all it has started; nothing if it never ran."""
        asked = [*self._tmux, "list-panes", "-a", "-F", "#{pane_pid}"]
        told = subprocess.run(asked, check=False, capture_output=True, text=True).stdout
        roots = [int(pid) for pid in told.split()]
        return [*roots, *(one.pid for root in roots for one in process_tree.below(root))]

    def _do(self, *words: str, env: dict[str, str] | None = None) -> str:
        command = [*self._tmux, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def is_there() -> bool:
    """Tell whether this machine has what a terminal needs."""
    return shutil.which("tmux") is not None


@contextmanager
def attached(
    url: str, directory: str, version: str = VERSION, *flags: str, ready: str = _READY
) -> Iterator[Terminal]:
    """Run ``opencode attach`` for the time of a ``with`` block, once it shows `ready`."""
    # Short, since the path of a Unix socket must be.
    with tempfile.TemporaryDirectory(prefix="weir-tui-") as name:
        folder = Path(name)
        terminal = Terminal(folder / "tmux")
        command = [str(binary(version)), "attach", url, "--dir", directory, *flags]
        try:
            terminal.open(command, home.environment(folder) | home.thrifty(folder))
            terminal.shows(ready)
            yield terminal
        finally:
            terminal.close()
