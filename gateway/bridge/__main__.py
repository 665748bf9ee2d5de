"""`python -m gateway.bridge`: starts a bridge, between Redis and the gateway of this machine."""

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # By default, `python -m` imports modules from the working folder first.
    try:  # noqa: SIM105
        sys.path.remove(os.getcwd())
    except (OSError, ValueError):
        pass
    sys.path.append(os.path.abspath(f"{__file__}/../../.."))

# ruff: noqa: E402
from bus.process.cooperative import patch_standard_library

patch_standard_library()

from collections.abc import Sequence

from bus.process import entry, logs
from gateway.bridge.settings import from_flags


def main(argv: Sequence[str]) -> int:
    """Run a bridge until it is stopped; return its exit status."""
    settings = from_flags(argv, os.environ)
    logs.configure(settings.log_level)
    from gateway.bridge import service

    service.run(settings)
    return 0


if __name__ == "__main__":
    entry.serve("weir bridge", main, sys.argv[1:])
