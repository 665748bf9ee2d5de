"""`python -m gateway`: the HTTP side of weir."""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import os
import sys
from collections.abc import Sequence

from bus import logs
from bus.flags import BadFlag, HelpAsked
from gateway import settings
from gateway.server import Gateway


def main(argv: Sequence[str]) -> int:
    """Run a gateway until it is told to stop; return the exit status."""
    try:
        read = settings.read(argv, os.environ)
    except HelpAsked as help_text:
        print(f"weir gateway\n{help_text}")
        return 0
    except BadFlag as error:
        print(f"weir gateway: {error}", file=sys.stderr)
        return 2
    logs.configure(read.log_level)
    Gateway(read).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
