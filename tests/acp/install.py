"""The npm packages of this folder: the official TypeScript SDK, and acpx."""

import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
SDK = FOLDER / "node_modules" / "@agentclientprotocol" / "sdk"
_ACPX = FOLDER / "acpx"
INSTALL_S = 120


class NotInstalled(Exception):
    """This machine has no such package, and cannot get it; the message says why."""


def sdk() -> Path:
    """Return the folder of the SDK, installed if it is not there yet.

    Raises:
        NotInstalled: node or npm is missing, or npm cannot install it.
    """
    return _installed(SDK, FOLDER, "ci")


def acpx() -> Path:
    """Return the program acpx, installed if it is not there yet.

    Its lock may lack packages for other machines, which ``npm ci`` does not forgive.

    Raises:
        NotInstalled: node or npm is missing, or npm cannot install it.
    """
    program = _ACPX / "node_modules" / ".bin" / "acpx"
    return _installed(program, _ACPX, "install", "--no-save")


def _installed(wanted: Path, folder: Path, *words: str) -> Path:
    if shutil.which("node") is None:
        raise NotInstalled("node is not installed")
    if not wanted.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstalled(f"{wanted.name} is not installed, nor is npm")
        _run([npm, *words, "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return wanted


def _run(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm did not end within {INSTALL_S} s") from None
    if ended.returncode != 0:
        raise NotInstalled(f"npm failed: {ended.stderr.strip()[-300:]}")
