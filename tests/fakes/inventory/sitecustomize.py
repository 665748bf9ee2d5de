"""Read by every Python at its start when this folder is on its path: what it holds, on a signal.

On the first `TAKE` a process begins to remember which line allocates what. On each it writes
``{"FILE:LINE": [objects, bytes]}`` of what it remembers and lives to the file PID.N of the folder
that `FOLDER_VARIABLE` names; N counts from 1. All stores have small bounds: once they are full,
what still grows has none.
"""

import gc
import itertools
import json
import os
import signal
import tracemalloc
from pathlib import Path

from tests.fakes.inventory import FOLDER_VARIABLE, TAKE
from tests.fakes.small_stores import FILLED_AT_ONCE, install

_numbers = itertools.count(1)


def _take(number: int, frame: object) -> None:
    tracemalloc.start()
    gc.collect()
    lines = {
        f"{line.traceback[0].filename}:{line.traceback[0].lineno}": (line.count, line.size)
        for line in tracemalloc.take_snapshot().statistics("lineno")
    }
    path = Path(os.environ[FOLDER_VARIABLE], f"{os.getpid()}.{next(_numbers)}")
    written = path.with_suffix(".part")
    written.write_text(json.dumps(lines))
    written.rename(path)


install(FILLED_AT_ONCE)
signal.signal(TAKE, _take)
