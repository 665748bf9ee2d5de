"""`python -m gateway`: starts the gateway, the HTTP server of weir."""

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # By default, `python -m` imports modules from the working folder first. A user's own `bus.py`
    # there would be taken for weir's `bus`.
    try:  # noqa: SIM105
        sys.path.remove(os.getcwd())
    except (OSError, ValueError):
        pass
    # If weir is not installed, its modules are found only through the folder of its code.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ruff: noqa: E402
from bus.process.cooperative import patch_standard_library

patch_standard_library()

import contextlib
import socket
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from msgspec.structs import replace

from bus.process import entry, logs
from bus.process.folder import check_owner
from bus.process.start_folder import leave_deleted_folder
from gateway import settings
from gateway.access.exposure import check_exposure
from gateway.access.tokens import Tokens
from gateway.workers.listener import listen

# The environment variables that give gunicorn open sockets: GUNICORN_FD those of the gunicorn
# master that this master replaces (after SIGUSR2), LISTEN_FDS those of systemd.
_HANDED_DOWN = ("GUNICORN_FD", "LISTEN_FDS")
_FIRST_FD = 3
# Gunicorn reads these variables when it is imported, but weir is configured by its own flags: a
# user who has set them meant another server.
_OF_OTHER_SERVERS = ("FORWARDED_ALLOW_IPS", "PORT", "SENDFILE", "WEB_CONCURRENCY")


def main(argv: Sequence[str]) -> int:
    """Run a gateway until it is stopped; return the exit status."""
    read = settings.read(argv, os.environ)
    logs.configure(read.log_level)
    for bus in read.buses:
        if bus.folder is not None:
            check_owner(bus.folder, "--bus")
    _forget_other_servers(os.environ)
    # Gunicorn asks for the working folder when it is imported, and would fail if it was deleted.
    leave_deleted_folder()
    from gateway.workers.server import Gateway

    if read.listen_fd is None and not any(name in os.environ for name in _HANDED_DOWN):
        read = replace(read, listen_fd=listen(read.host, read.port).detach())
    asks = read.login is not None or (read.state is not None and Tokens(read.state).exist)
    asks = asks or read.identities is not None
    for address in _addresses(read.listen_fd):
        check_exposure(address, read.open, asks)
    Gateway(read).run()
    return 0


def _addresses(listen_fd: int | None) -> Iterator[Any]:
    """Yield the addresses of the open sockets: `listen_fd`, or those of systemd or a master."""
    if listen_fd is not None:
        fds = [listen_fd]
    elif "LISTEN_FDS" in os.environ:
        fds = [*range(_FIRST_FD, _FIRST_FD + int(os.environ["LISTEN_FDS"]))]
    else:
        fds = [int(fd) for fd in os.environ["GUNICORN_FD"].split(",")]
    for fd in fds:
        with contextlib.closing(socket.socket(fileno=os.dup(fd))) as one:
            yield one.getsockname()


def _forget_other_servers(environ: MutableMapping[str, str]) -> None:
    """Remove the environment variables that would configure gunicorn but are not for weir."""
    for name in _OF_OTHER_SERVERS:
        environ.pop(name, None)
    # If a gunicorn master has started this process to replace it, the variables are for weir.
    if environ.get("GUNICORN_PID") != str(os.getppid()):
        for name in ("GUNICORN_PID", "GUNICORN_FD"):
            environ.pop(name, None)


if __name__ == "__main__":
    entry.serve("weir gateway", main, sys.argv[1:])
