"""The npm packages of this folder: the official TypeScript SDK, and acpx."""

import shutil
from pathlib import Path

from tests import npm

FOLDER = Path(__file__).parent
SDK = FOLDER / "node_modules" / "@agentclientprotocol" / "sdk"
_ACPX = FOLDER / "acpx"


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
        raise npm.NotInstalled("node is not installed")
    npm.install(folder, wanted, words)
    return wanted
