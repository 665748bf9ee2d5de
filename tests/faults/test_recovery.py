"""Processes of a deployment stop, and die, in the middle of a turn.

After each, every reader, whether its stream was kept or it resumed, holds what is stored, byte by
byte, and was told nothing twice on the way; `tests.faults.witness` looks at each event.
"""

import contextlib
import os
import re
import signal
import sqlite3
import time
from urllib.parse import quote

import pytest

from tests.blackbox.ears import listening
from tests.blackbox.gateway_on_bus import temporary_folder
from tests.blackbox.weir_up import lives, prompt, said, weir_up
from tests.faults.crew import DIRECTORY, crew
from tests.processes import DEADLINE_S, wait_until

RATE = 500
DELTA = 40
SAVED_EVERY_S = 0.25
LATE_S = 0.75  # by how much a loaded machine may be late in saving
START_S = 120.0  # the more often one was killed lately, the later it is started
MORE_THAN_A_BUS_HOLDS = 5_000
"""Frames: the mark of the socket, and what the kernel's buffers take."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def folder():
    """Where the deployment has its state; its path is short enough for the bus."""
    with temporary_folder() as made:
        yield made


@pytest.fixture(scope="module")
def up(folder):
    """A deployment that the tests share, each when it is well again; they stop its processes."""
    with weir_up(folder, "--heartbeat-ms", "1000", "--hang-limit", "300") as shared:
        yield shared
    assert "Traceback" not in shared.output


def begin(up, words):
    """Prompt a new session, and return its id."""
    session = up.session(DIRECTORY)
    up.patiently("POST", f"/session/{session}/prompt_async", prompt(words))
    return session


def ended(up, session):
    """Wait for the end of its turn; a session is idle also before its turn begins."""
    status = f"/session/status?directory={quote(DIRECTORY)}"

    def is_over():
        last = up.patiently("GET", f"/session/{session}/message").body[-1]["info"]
        answered = last["role"] == "assistant" and "completed" in last["time"]
        return answered and session not in up.patiently("GET", status).body

    wait_until(is_over, what="the end of the turn")


def prompted(up, words):
    """Prompt a new session, and return its id once it has answered."""
    session = begin(up, words)
    ended(up, session)
    return session


def since(up, before):
    """What was logged since."""
    return up.output[before:]


def deltas(count):
    """What the demo model says in so many deltas."""
    return "".join(f"{n:07d}|{'x' * 31} " for n in range(count))


def unstamped(text):
    """Leave out the times in what the demo model says at a rate."""
    return re.sub(r"\b(\d{7}\|)\d{19}\|", rf"\g<1>{'x' * 20}", text)


def whole(messages, count):
    """See that the last message is so many deltas."""
    assert unstamped(said(messages[-1])) == deltas(count)


def stop_in_a_storm(up, folder, crew, *storms):
    """Stop a worker until its bus has overflown, and more storms are over.

    Returns:
        The sessions of the turn that overflowed it and of the storms, and whom the worker served.
    """
    worker = up.workers(2)[0]
    stopped = crew.of_worker(worker)
    session = begin(up, "storm 10 40")
    crew.wait_for_text(session, 400)
    with listening(f"ipc://{folder / 'state' / 'bus'}") as ears:
        os.kill(worker, signal.SIGSTOP)
        try:
            sessions = [begin(up, "rate 1500 1000000")]
            # A busy machine says more in one frame, and so it takes longer.
            ears.until(lambda: ears.batches > MORE_THAN_A_BUS_HOLDS, 2 * DEADLINE_S)
            up.patiently("POST", f"/session/{sessions[0]}/abort")
            sessions += [prompted(up, words) for words in storms]
        finally:
            os.kill(worker, signal.SIGCONT)
    return sessions, stopped


def test_what_a_stopped_worker_missed_is_replayed_to_its_readers(up, folder):
    before = len(up.output)
    with crew(up) as readers:
        connections = readers.connections
        [session], stopped = stop_in_a_storm(up, folder, readers)
        whole(messages := readers.hold_what_is_stored(session), len(said(messages[-1])) // DELTA)
        assert stopped
        assert readers.connections == connections
    assert "were replayed" in since(up, before)
    assert "a snapshot replaces" not in since(up, before)


def test_where_the_journal_does_not_reach_back_readers_are_made_whole_by_a_snapshot(up, folder):
    before = len(up.output)
    with crew(up) as readers:
        connections = readers.connections
        [first, second], stopped = stop_in_a_storm(up, folder, readers, "storm 100000 40")
        readers.hold_what_is_stored(first)
        whole(readers.hold_what_is_stored(second), 100_000)
        assert stopped
        assert readers.connections == connections
    assert "a snapshot replaces" in since(up, before)


def test_readers_of_a_killed_worker_go_on_exactly_where_they_were_cut(up):
    with crew(up) as readers:
        worker, connections = up.workers(2)[0], readers.connections
        hurt = readers.of_worker(worker)
        resumed = {reader: reader.witness.resumed for reader in hurt}
        session = begin(up, "rate 2000 4000")
        readers.wait_for_text(session, 20_000)
        os.kill(worker, signal.SIGKILL)
        ended(up, session)
        whole(readers.hold_what_is_stored(session), 4000)
        # A reader that was cut at the end may have connected, and not heard yet that it resumes.
        readers.wait_for_news()
        again = [now - then for now, then in zip(readers.connections, connections, strict=True)]
        assert hurt
        assert [count > 0 for count in again] == [one in hurt for one in readers.followers]
        assert [one.witness.resumed - resumed[one] for one in hurt] == [c for c in again if c]
        up.workers(2)


def kill_in_a_turn(up, readers, pids):
    """Kill processes, a processor among them, while text streams; see what is left of it."""
    session = begin(up, f"rate {RATE} 100000")
    readers.wait_for_text(session, RATE * DELTA)
    held, saved_at = readers.answers(session), time.monotonic() + SAVED_EVERY_S + LATE_S
    wait_until(lambda: time.monotonic() > saved_at)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(up.answers, START_S, "a gateway with a processor")
    messages = readers.hold_what_is_stored(session)
    assert messages[-1]["info"]["error"]["name"] == "MessageAbortedError"
    assert deltas(100_000).startswith(unstamped(kept := said(messages[-1])))
    assert all(kept.startswith(text) for text in held)
    whole(readers.hold_what_is_stored(prompted(up, "storm 2000 40")), 2000)


@contextlib.contextmanager
def locked(folder):
    """Keep the processor from writing, as a backup of its database would."""
    db = sqlite3.connect(folder / "state" / "weir.db", isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield db
    finally:
        db.close()


@contextlib.contextmanager
def locked_in_a_turn(up, folder, readers):
    """Do so in the midst of a turn of a second; give its session."""
    for _ in range(10):
        session = begin(up, f"rate {RATE} {RATE}")
        readers.wait_for_text(session, RATE * DELTA // 2)
        with locked(folder) as db:
            # A busy machine may have come too late.
            if db.execute(
                "SELECT 1 FROM message WHERE session = ? AND open", [session]
            ).fetchone():
                yield session
                return
    raise TimeoutError("no turn was locked before its end")


def kill_before_the_end_is_saved(up, folder, readers, others):
    """Kill the processor, and others, when a turn is over and the store has not heard of it."""
    with locked_in_a_turn(up, folder, readers) as session:
        readers.wait_for_text(session, RATE * DELTA)
        readers.wait_for_news()
        for pid in (pids := [*up.pids("processor"), *others]):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(lives, pids)), what="the end of the processor")
    wait_until(up.answers, START_S, "a gateway with a processor")
    messages = readers.hold_what_is_stored(session)
    assert messages[-1]["info"]["error"]["name"] == "MessageAbortedError"
    whole(readers.hold_what_is_stored(prompted(up, "storm 2000 40")), 2000)


def sessions_of(up):
    """Return what is stored of every session, by id."""
    return {one["id"]: one for one in up.patiently("GET", "/session?scope=project").body}


def hold_no_other_sessions(up, readers):
    """Wait until every session that anybody holds is as it is stored."""

    def held():
        stored = sessions_of(up).items()
        return all(one.witness.state.sessions.items() <= stored for one in readers.followers)

    wait_until(held, what="readers with the sessions that are stored")


def kill_after_a_removal(up, readers, others):
    """Kill the processor, and others, when it has removed sessions and one worker is deaf to it.

    Returns:
        The readers of that worker.
    """
    worker, *_ = up.workers(2)
    deaf = readers.of_worker(worker)
    parent, kept = prompted(up, "storm 10 40"), prompted(up, "storm 10 40")
    child = up.session(DIRECTORY, parentID=parent)
    for session in (parent, kept):
        readers.wait_for_text(session, 400)
    knows = [one.witness.state.sessions for one in readers.followers]
    wait_until(lambda: all(child in known for known in knows), what="the child")
    os.kill(worker, signal.SIGSTOP)
    # More than the worker's kernel buffers take: what follows is in the processor when it dies.
    storm = prompted(up, "storm 20000 40")
    assert up.patiently("PATCH", f"/session/{kept}", {"title": "kept"}).status == 200
    assert up.patiently("DELETE", f"/session/{parent}").body is True
    for pid in [*up.pids("processor"), *others]:
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGCONT)
    wait_until(up.answers, START_S, "a gateway with a processor")
    assert not {parent, child} & sessions_of(up).keys()
    hold_no_other_sessions(up, readers)
    for session in (kept, storm):
        readers.hold_what_is_stored(session)
    return deaf


def test_a_processor_killed_in_a_turn_costs_no_more_than_what_was_not_saved(up):
    with crew(up, may_take_back=True) as readers:
        connections = readers.connections
        kill_in_a_turn(up, readers, up.pids("processor"))
        assert readers.connections == connections


def test_a_worker_and_the_processor_killed_at_once_leave_every_reader_whole(up):
    with crew(up, may_take_back=True) as readers:
        kill_in_a_turn(up, readers, [*up.pids("processor"), up.workers(2)[0]])
        up.workers(2)


def test_the_whole_gateway_and_the_processor_killed_at_once_leave_every_reader_whole(up):
    with crew(up, may_take_back=True) as readers:
        kill_in_a_turn(up, readers, [*up.pids("processor"), *up.pids("gateway"), *up.workers(2)])
        up.workers(2)


def test_a_reader_that_kept_its_stream_holds_nothing_that_was_never_saved(up, folder):
    with crew(up, may_take_back=True) as readers:
        connections = readers.connections
        kill_before_the_end_is_saved(up, folder, readers, [])
        assert readers.connections == connections


def test_a_reader_that_resumes_holds_nothing_that_was_never_saved(up, folder):
    with crew(up, may_take_back=True) as readers:
        gateway = [*up.pids("gateway"), *up.workers(2)]
        kill_before_the_end_is_saved(up, folder, readers, gateway)
        up.workers(2)


def test_a_reader_that_kept_its_stream_loses_what_was_removed_right_before_a_kill(up):
    with crew(up, may_take_back=True) as readers:
        connections = readers.connections
        assert kill_after_a_removal(up, readers, [])
        assert readers.connections == connections


def test_a_reader_that_resumes_loses_what_was_removed_right_before_a_kill(up):
    with crew(up, may_take_back=True) as readers:
        resumed = {reader: reader.witness.connections for reader in readers.followers}
        gateway = [*up.pids("gateway"), *up.workers(2)]
        deaf = kill_after_a_removal(up, readers, gateway)
        assert all(one.witness.connections > resumed[one] for one in deaf)
        up.workers(2)
