"""The folder that weir is started in stays out of the import path: its code is not weir's."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

_VARIABLE = "PYTHONPATH"


def keep_start_folder_out(environ: MutableMapping[str, str]) -> None:
    """Drop empty entries of ``PYTHONPATH``, which mean the start folder, here and for children.

    ``PYTHONPATH=$PYTHONPATH:/lib`` leaves such an entry behind where the variable was unset.
    """
    given = environ.get(_VARIABLE, "").split(os.pathsep)
    named = [entry for entry in given if entry]
    if not named or len(named) == len(given):
        return
    environ[_VARIABLE] = os.pathsep.join(named)
    try:
        sys.path.remove(os.getcwd())
    except (OSError, ValueError):
        return  # the folder is deleted, or the path does not hold it


def interpreter() -> list[str]:
    """Return the words that start Python as this process was started, without the start folder."""
    words = [sys.executable, "-P"]
    if sys.flags.ignore_environment:
        words.append("-E")
    if sys.flags.no_user_site:
        words.append("-s")
    return words
