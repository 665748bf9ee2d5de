"""Where the programs of opencode are: pinned npm packages, installed beside the tests."""

import platform
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
VERSION = "1.18.33"
OLD_VERSION = "1.2.27"
INSTALL_S = 300

_FOLDERS = {VERSION: FOLDER, OLD_VERSION: FOLDER / "old"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class NotInstalled(Exception):
    """This machine has no opencode, and cannot get one; the message says why."""


def binary(version: str = VERSION) -> Path:
    """Return the program of a version, installed if it is not there yet.

    Raises:
        NotInstalled: npm is missing, or cannot install it.
    """
    folder = _FOLDERS[version]
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    package = f"opencode-{platform.system().lower()}-{machine}"
    program = folder / "node_modules" / package / "bin" / "opencode"
    if not program.exists():
        _install(folder)
    if not program.exists():
        raise NotInstalled(f"npm has no package {package} {version} here")
    return program


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled(f"opencode is not in {folder.name}/node_modules; npm is not installed")
    command = [npm, "ci", "--no-audit", "--no-fund"]
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm ci did not end within {INSTALL_S} s") from None
    if ended.returncode != 0:
        raise NotInstalled(f"npm ci failed: {ended.stderr.strip()[-300:]}")
