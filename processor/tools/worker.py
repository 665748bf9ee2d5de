"""A program that searches files or converts a web page, with limits on CPU time and memory.

A regular expression may take for ever, and would block the processor's event loop. So searches and
conversions run in this program.

The first line of stdin is the request (JSON); each line of stdout is a result (JSON). The program
only imports the standard library, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

if __name__ == "__main__":
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from processor.tools import search, webpage

CPU_S = 60
MEMORY_BYTES = 1024 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_KINDS: dict[str, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "glob": search.glob,
    "grep": search.grep,
    "page": webpage.page,
}


def main() -> None:
    """Read the request from stdin, and write the results to stdout."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for bound, most in ((resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY_BYTES)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(bound, (most, most))
    request = json.loads(sys.stdin.buffer.readline() or b"null")
    if request is None:
        return
    try:
        for result in _KINDS[request["kind"]](request):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    except (OSError, MemoryError) as error:
        sys.stdout.write(json.dumps({"failed": str(error) or "too much memory"}) + "\n")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
