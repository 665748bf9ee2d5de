"""Where the programs of opencode are: pinned npm packages, installed beside the tests."""

import platform
from pathlib import Path

from tests import npm

FOLDER = Path(__file__).parent
VERSION = "1.18.34"
OLD_VERSION = "1.2.27"

_FOLDERS = {VERSION: FOLDER, OLD_VERSION: FOLDER / "old"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def binary(version: str = VERSION) -> Path:
    """Return the program of a version, installed if it is not there yet.

    Raises:
        NotInstalled: npm is missing, or cannot install it.
    """
    folder = _FOLDERS[version]
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    package = f"opencode-{platform.system().lower()}-{machine}"
    program = folder / "node_modules" / package / "bin" / "opencode"
    npm.install(folder, program)
    return program
