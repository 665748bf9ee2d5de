"""How tests are dealt out to the workers of a parallel run."""

import gc
import importlib
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

_WORKERS_A_PROCESSOR = 3
_VERSION = re.compile(r"(?<=[\[-])\d+\.\d+\.\d+(?=[\]-])")
# Long files whose tests start all they need by themselves.
_SHARE_NOTHING = (
    *("leaks", "odd_start", "patient_start", "processor_restart", "sources_apart"),
    *("upstream_connection", "upstream_cuts", "watchdog"),
)

_LONGEST = (
    *("tests/acp/", "tests/hostile/", "tests/opencode/", "tests/faults/"),
    "tests/blackbox/test_shedding.py",
)

# Folders whose files share their servers, one for each version of what they run; benchmarks have
# servers of their own.
_SHARE_ALL = (
    *("tests/acp/", "tests/opencode/"),
    *("tests/blackbox/console/", "tests/blackbox/publishing/"),
)
_OWN = ("bench",)

# How long an example takes says only how busy the machine is. Each run has the same examples;
# `--hypothesis-profile explore` looks for others.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("weir", _UNHURRIED, max_examples=50, derandomize=True)
settings.register_profile("explore", _UNHURRIED, max_examples=1000)

# A folder that a group may write into is refused; some users make theirs so.
os.umask(0o022)
# A shell ignores SIGINT for what it runs in the background, as nohup does SIGHUP, and weir leaves
# both ignored then. What is handled is ignored no longer in the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


class _ByServer(LoadScopeScheduling):
    """Tests that share a server run on one worker: those of a file or a folder, by version."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.endswith(tuple(f"test_{name}.py" for name in _SHARE_NOTHING)):
            return nodeid
        version = _VERSION.search(nodeid)
        shared = file.startswith(_SHARE_ALL) and not any(word in file for word in _OWN)
        return (file.rpartition("/")[0] if shared else file) + (version[0] if version else "")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import the tests, each worker from another place on: one compiles a file for all."""
    # Collection makes much that stays, and hardly any garbage.
    gc.disable()
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    names = sorted(_modules(session.config))
    first = len(names) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for name in names[first:] + names[:first]:
        with suppress(Exception):  # collection imports it again, and says what is wrong
            importlib.import_module(name)


def pytest_collection_finish() -> None:
    """Look no more at what was made by now."""
    gc.freeze()
    gc.enable()


def _modules(config: pytest.Config) -> Iterator[str]:
    root = Path(__file__).parents[1]
    for argument in config.args:
        path = root / argument.partition("::")[0]
        for file in path.rglob("test_*.py") if path.is_dir() else [path]:
            if "node_modules" not in file.parts:
                yield ".".join(file.relative_to(root).with_suffix("").parts)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end it would have a worker to itself."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Deal out what shares a server at once, in the order in which tests are found."""
    config.option.loadscopereorder = False
    return _ByServer(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Return what ``-n auto`` stands for: most tests wait for sockets and processes."""
    return _WORKERS_A_PROCESSOR * (os.cpu_count() or 1)
