"""Keeps the folder in which weir is started out of the import path: its code is not weir's."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

_VARIABLE = "PYTHONPATH"
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def keep_start_folder_out(environ: MutableMapping[str, str]) -> None:
    """Remove relative entries of ``PYTHONPATH``, for this process and its children.

    An empty entry is relative too: ``PYTHONPATH=$PYTHONPATH:/lib`` leads to one if the variable
    was not set. The folder of weir itself stays, since weir may not be installed.
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
    """Return the command for starting Python like this process, without the start folder."""
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
        return entry  # a deleted folder has no code
