"""A reader that was away when a session was removed: whoever serves it next says so."""

import os
import signal
import sqlite3

import pytest

from tests.blackbox.weir_up import lives, weir_up
from tests.processes import wait_until
from tests.sse_client import SseClient

STORMS = 2
"""Of 60,000 deltas each: more than a journal holds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("removals")


@pytest.fixture(scope="module")
def up(folder):
    """A deployment of two workers that the tests share."""
    with weir_up(folder, "--heartbeat-ms", "1000") as shared:
        yield shared


def made(up):
    """Make a session before a reader's eyes; return it, and the last id that the reader has."""
    with SseClient(f"{up.url}/global/event") as stream:
        stream.next()
        session = up.session()
        while (event := stream.next()) and session not in event.data.decode():
            pass
        return session, event.id


def told(up, last_id):
    """What a reader is told that comes with this id, until the stream has beaten twice."""
    beats, types = 0, []
    with SseClient(f"{up.url}/global/event", {"Last-Event-ID": last_id}) as stream:
        for event in stream.events():
            payload = event["payload"]
            types.append((payload["type"], payload["properties"]))
            beats += payload["type"] == "server.heartbeat"
            if beats == 2:
                return types
    raise AssertionError(types)


def killed(up, pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(lives, pids)), what="the end of processes")
    wait_until(up.answers, what="a gateway with a processor")
    up.workers(2)


def ends(types, session):
    """How often the session is told gone."""
    gone = [p for kind, p in types if kind == "session.deleted" and p["info"]["id"] == session]
    return len(gone)


def resumed(types):
    return types[0][1]["resumed"]


def test_a_new_worker_tells_it_exactly_while_the_journal_reaches_back(up):
    session, last_id = made(up)
    up.call("DELETE", f"/session/{session}")
    killed(up, up.workers(2))
    types = told(up, last_id)
    assert (resumed(types), ends(types, session)) == (True, 1)


def test_a_new_worker_tells_it_when_the_journal_does_not_reach_back(up):
    session, last_id = made(up)
    up.call("DELETE", f"/session/{session}")
    other = up.session()
    for _ in range(STORMS):
        up.prompt(other, "storm 60000 40")
    killed(up, up.workers(2))
    types = told(up, last_id)
    assert (resumed(types), ends(types, session)) == (False, 1)


def test_it_is_told_after_a_restart_of_all_that_came_long_after(up, folder):
    session, last_id = made(up)
    up.call("DELETE", f"/session/{session}")
    up.prompt(up.session(), "hello")
    long_ago(folder)
    killed(up, [*up.pids("processor"), *up.workers(2)])
    types = told(up, last_id)
    assert (resumed(types), ends(types, session)) == (False, 1)


def long_ago(folder):
    """Have all removals be older than what a new processor tells again."""
    with sqlite3.connect(folder / "state" / "weir.db") as db:
        db.execute("UPDATE removal SET time = 1")
    db.close()
