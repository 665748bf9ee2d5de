"""What a table of figures needs beside it: the machine they were measured on."""

import os
import platform
import time


def described() -> str:
    """Return processors, software and load in one line."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0]
    python = f"Python {platform.python_version()}"
    return f"{usable} CPUs, {platform.system()}, {python}, load before: {load:.2f}"


def yardstick_ms() -> float:
    """Do a fixed piece of plain work, and return how long it took."""
    start = time.perf_counter()
    sum(i * i for i in range(200_000))
    return (time.perf_counter() - start) * 1000
