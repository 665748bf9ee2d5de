"""``python -m processor``: the service on the command line."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402

from bus import logs  # noqa: E402
from bus.flags import BadFlag, HelpAsked  # noqa: E402
from processor import service  # noqa: E402
from processor.refusal import CannotStart  # noqa: E402
from processor.settings import from_flags  # noqa: E402
from processor.store.schema import NewerDatabase  # noqa: E402


def main(argv: list[str]) -> int:
    """Run a processor until it is told to stop; return its exit status.

    Args:
        argv: the flags, without the program's name.
    """
    try:
        settings = from_flags(argv, os.environ)
    except HelpAsked as asked:
        print(f"weir processor\n{asked}")
        return 0
    except BadFlag as error:
        print(f"weir processor: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    try:
        service.run(settings)
    except CannotStart as error:
        print(f"weir processor: {error}", file=sys.stderr)
        # A newer database stays newer: whoever restarts this need not try again.
        return 2 if isinstance(error, NewerDatabase) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
