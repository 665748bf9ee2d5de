"""The npm packages of this folder: the official TypeScript SDK, and acpx."""

from pathlib import Path

from tests import npm

FOLDER = Path(__file__).parent
SDK = FOLDER / "node_modules" / "@agentclientprotocol" / "sdk"
_ACPX = FOLDER / "acpx"


def sdk() -> Path:
    """Return the folder of the SDK, installed if it is not there yet.

    Raises:
        npm.NotInstalled: it cannot be had here.
    """
    npm.install(FOLDER, SDK)
    return SDK


def acpx() -> Path:
    """Return the program acpx, installed if it is not there yet.

    Its lock may lack packages for other machines, which ``npm ci`` does not forgive.

    Raises:
        npm.NotInstalled: it cannot be had here.
    """
    program = _ACPX / "node_modules" / ".bin" / "acpx"
    npm.install(_ACPX, program, "install", "--no-save")
    return program
