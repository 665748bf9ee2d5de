"""Removes the folder in which weir is started from Python's import path.

This folder is the user's project. A file in it, such as `json.py`, must not run as a part of weir.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

_VARIABLE = "PYTHONPATH"
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def keep_start_folder_out(environ: MutableMapping[str, str]) -> None:
    """Remove relative entries from ``PYTHONPATH``, for this process and its children.

    An empty entry also means the current folder: ``PYTHONPATH=$PYTHONPATH:/lib`` makes an empty
    entry if the variable was not set. The folder of weir's own code is kept, because weir may run
    from its repository without being installed.
    """
    given = environ.get(_VARIABLE, "")
    entries = given.split(os.pathsep) if given else []
    kept = [entry for entry in entries if os.path.isabs(entry)]
    dropped = {path for entry in entries if (path := _absolute(entry)) not in kept}
    if _OWN in dropped or (sys.path[:1] == [_OWN] and _OWN not in kept):
        kept.append(_OWN)
    if kept != entries:
        environ[_VARIABLE] = os.pathsep.join(kept)
        sys.path[:] = [entry for entry in sys.path if entry not in dropped or entry == _OWN]


def interpreter() -> list[str]:
    """Return the command that starts Python with the options of this process.

    The option ``-P`` keeps the current folder out of the import path.
    """
    words = [sys.executable, "-P"]
    if sys.flags.ignore_environment:
        words.append("-E")
    if sys.flags.no_user_site:
        words.append("-s")
    return words


def _absolute(entry: str) -> str:
    try:
        return os.path.abspath(entry)
    except FileNotFoundError:
        return entry  # the current folder was deleted, so no code can be imported from it
