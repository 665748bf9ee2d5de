"""A virtual environment for Python peers and for curves, apart from the project's own."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.child import ROOT
from tests.benchmarks.peers.peer import Missing

FOLDER = ROOT / ".venv" / "peers"
SSE_STARLETTE = ("sse-starlette==3.7.0", "starlette==1.10.0", "uvicorn==0.54.0")
MATPLOTLIB = ("matplotlib==3.11.2",)
_INSTALL_S = 300


def python_with(packages: tuple[str, ...]) -> Path:
    """Return an interpreter that has packages, installed from PyPI if they are not there yet.

    Raises:
        Missing: they cannot be installed.
    """
    python = FOLDER / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", str(FOLDER))
    if not _has(python, packages):
        _run(str(python), "-m", "pip", "install", "--quiet", *packages)
    return python


def _has(python: Path, packages: tuple[str, ...]) -> bool:
    names = [package.partition("==")[0] for package in packages]
    found = subprocess.run(
        [str(python), "-m", "pip", "freeze"], capture_output=True, text=True
    ).stdout
    return all(f"{name}==" in found for name in names)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{' '.join(command[:4])}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise Missing(f"{' '.join(command[1:4])} failed: {last}")
