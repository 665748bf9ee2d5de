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
    given = environ.get(_VARIABLE, "")
    named = [entry for entry in given.split(os.pathsep) if entry]
    cleaned = os.pathsep.join(named)
    if cleaned == given:
        return
    environ[_VARIABLE] = cleaned
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return  # a deleted folder holds no code
    if here not in named:
        sys.path[:] = [entry for entry in sys.path if entry != here]


def interpreter() -> list[str]:
    """Return the words that start Python as this process was started, without the start folder."""
    words = [sys.executable, "-P"]
    if sys.flags.ignore_environment:
        words.append("-E")
    if sys.flags.no_user_site:
        words.append("-s")
    return words
