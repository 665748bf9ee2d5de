"""``python -m processor``: the processor as a command."""

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python would import modules from the start folder first, but the code there is not weir's.
    try:  # noqa: SIM105
        sys.path.remove(os.getcwd())
    except (OSError, ValueError):
        pass
    # If weir runs from its source folder without being installed, its code is found here, last.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ruff: noqa: E402
from bus.process.cooperative import patch_standard_library

patch_standard_library()

from collections.abc import Sequence

from bus.process import entry, logs
from processor.settings import from_flags


def main(argv: Sequence[str]) -> int:
    """Run a processor until it is stopped; return its exit status.

    Args:
        argv: the flags, without the program's name.
    """
    settings = from_flags(argv, os.environ)
    logs.configure(settings.log_level)
    from processor import service  # takes long, so errors in the flags are reported before

    service.run(settings)
    return 0


if __name__ == "__main__":
    entry.serve("weir processor", main, sys.argv[1:])
