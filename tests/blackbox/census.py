"""``python -m tests.blackbox.census``: a gateway that also says what its worker holds."""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import gc
import os
import sys
from pathlib import Path
from typing import Any

import falcon
import gevent

from bus.process import logs
from gateway import settings
from gateway.workers.server import Gateway

_ROUTE = "/test/census"


class Census:
    """Answers ``{"pid", "readers", "evictions"}``; whole, ``greenlets`` and ``fds`` as well."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Tell of the readers, and count the rest if that is asked for: it stops the worker."""
        resp.media = {
            "pid": os.getpid(),
            "readers": len(self._worker.readers),
            "evictions": self._worker.readers.evictions,
        }
        if req.get_param_as_bool("whole"):
            resp.media |= _left_in_memory()


def _left_in_memory() -> dict[str, int]:
    """Count what there is once garbage is gone."""
    gc.collect()
    greenlets = (one for one in gc.get_objects() if isinstance(one, gevent.Greenlet))
    return {
        "greenlets": sum(not one.dead for one in greenlets),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
    }


class CountedGateway(Gateway):
    """A gateway with one route more."""

    def load(self) -> Any:
        """Build a worker's application."""
        app = super().load()
        app.add_route(_ROUTE, Census(self._worker))
        return app


if __name__ == "__main__":
    read = settings.read(sys.argv[1:], os.environ)
    logs.configure(read.log_level)
    CountedGateway(read).run()
