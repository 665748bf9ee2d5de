"""Where a worker shows its master that it lives, when no folder can be written to."""

import time

import pytest
from gunicorn.workers import base

from gateway.workers.worker_tmp import keep_in_memory


def test_a_sign_of_life_needs_no_folder(monkeypatch):
    monkeypatch.setattr(base, "WorkerTmp", base.WorkerTmp)  # put back after the test
    monkeypatch.setattr("tempfile.mkstemp", None)
    keep_in_memory()
    signs = base.WorkerTmp(None)
    signs.notify()
    assert signs.last_update() == pytest.approx(time.monotonic(), abs=5)
    signs.close()
