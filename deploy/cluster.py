"""`make cluster`: a cluster on this machine, to try it: a Redis, two gateways, two processors.

It needs the program ``redis-server`` or ``valkey-server``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bus.process import entry, flags, logs
from bus.process.entry import CannotStart
from bus.process.flags import Flag
from bus.process.folder import claimed
from deploy.import_path import interpreter
from deploy.supervisor import Service, Supervisor

_PROGRAMS = ("redis-server", "valkey-server")
_STOP_S = 10.0
_FLAGS = (
    Flag("port", flags.whole(1, 65533), 4097, "the port of the first gateway; the second has +1"),
    Flag("redis-port", flags.whole(1, 65535), 16379, "the port of Redis"),
    Flag("state", flags.FOLDER, Path(".cluster").absolute(), "the folder for everything"),
)


def main(argv: Sequence[str]) -> int:
    """Run the cluster until it is stopped; return the exit status.

    Raises:
        CannotStart: Redis is not installed, or the folder cannot be used.
    """
    values = flags.read(argv, os.environ, _FLAGS)
    redis = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if redis is None:
        raise CannotStart(f"{' or '.join(_PROGRAMS)}: not found; install one of them")
    logs.configure("info")
    state, port = values["state"], values["port"]
    with claimed(state, "--state", "cluster"):
        bus = f"--bus=redis://127.0.0.1:{values['redis_port']}/0"
        weir = [*interpreter(), "-m", "deploy.cli"]
        server = [redis, "--bind", "127.0.0.1", "--port", str(values["redis_port"])]
        server += ["--save", "", "--dir", str(state), "--loglevel", "warning"]
        services = [
            Service("redis", server),
            Service("first", [*weir, "up", bus, f"--state={state}/first", f"--port={port}"]),
            Service(
                "second", [*weir, "gateway", bus, f"--state={state}/second", f"--port={port + 1}"]
            ),
            Service("third", [*weir, "processor", bus, f"--state={state}/third"]),
        ]
        return Supervisor(services, (), _STOP_S).run()


if __name__ == "__main__":
    sys.exit(entry.run("make cluster", main, sys.argv[1:]))
