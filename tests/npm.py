"""npm packages that tests need, installed beside them by whichever process asks first."""

import fcntl
import functools
import json
import shutil
import subprocess
from pathlib import Path

INSTALL_S = 300
CI = ("ci",)
_FLAGS = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")


class NotInstalled(Exception):
    """This machine has not got a package, and cannot get it; the message says why."""


def install(folder: Path, wanted: Path, command: tuple[str, ...] = CI) -> None:
    """See that `wanted` is there: a file of what `folder`'s lock file lists.

    Args:
        folder: with a package.json and its lock file.
        wanted: below it.
        command: what npm is to do.

    Raises:
        NotInstalled: it is not, and npm is missing, or does not bring it.
    """
    # Of processes that want the same, one installs; the others wait for it.
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failure = "" if wanted.exists() and is_current(folder) else _run(folder, command)
    if not wanted.exists():
        raise NotInstalled(failure or f"npm has no {wanted.relative_to(folder)} for this machine")


def is_current(folder: Path) -> bool:
    """Tell whether what is installed has the versions of the lock file, which may have moved."""
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    # Not npm's own list of what is installed: a copy by links gets another folder's list.
    installed = (
        (folder / name / "package.json", found) for name, found in packages.items() if name
    )
    return all(
        json.loads(about.read_text())["version"] == found.get("version")
        for about, found in installed
        if about.exists()
    )


@functools.cache
def _run(folder: Path, command: tuple[str, ...]) -> str:
    """Return why the installation failed; empty if it did not. It is tried once a process."""
    npm = shutil.which("npm")
    if npm is None:
        return f"npm is not installed, and there is no {folder.name}/node_modules"
    try:
        ended = subprocess.run(
            [npm, *command, *_FLAGS], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        return f"npm in {folder.name} did not end within {INSTALL_S} s"
    if ended.returncode != 0:
        return f"npm in {folder.name} failed: {ended.stderr.strip()[-300:]}"
    return ""
