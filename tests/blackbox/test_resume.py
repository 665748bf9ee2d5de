"""A stream that is cut goes on exactly there, on any worker; who comes late has all the text."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.blackbox.visits import Visits
from tests.blackbox.weir_up import prompt, said, texts, weir_up
from tests.faults.place import Place
from tests.processes import wait_until
from tests.reference import fold
from tests.sse_client import SseClient

DELTAS = 3000


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A deployment that the tests share."""
    with weir_up(tmp_path_factory.mktemp("resume"), "--workers", "2") as shared:
        yield shared


class Turn:
    """A turn that goes on for as long as a test needs, and who reads it from its start.

    Attributes:
        session: where it is.
        reader: who reads it; it has to go on to the end.
    """

    def __init__(self, up, session, pool):
        self.session = session
        self.reader = Visits(up.url, turns=2, session=session)  # one that is stopped is idle twice
        self.reader.begin()
        self._up = up
        self._answer = pool.submit(up.prompt, session, "rate 2500 1000000")

    def stop(self):
        """Stop it."""
        assert self._up.patiently("POST", f"/session/{self.session}/abort").body is True

    def texts(self):
        """What it has said in the end, by part."""
        return texts([self._answer.result()])


@pytest.fixture
def turn(up):
    """A turn that runs while the test reads."""
    with ThreadPoolExecutor(1) as pool:
        yield Turn(up, up.session(), pool)


def shown(visits, session):
    """What a client shows, by part."""
    return texts(fold(visits.payloads).messages_of(session))


def is_idle(event):
    return event["properties"].get("status") == {"type": "idle"}


def test_a_reader_that_is_cut_after_any_event_misses_and_doubles_nothing(up, turn):
    visits, lengths = turn.reader, [20, 3, 5, 2]
    for length in 6 * lengths:
        assert not visits.visit(length)
    turn.stop()
    while not visits.visit(lengths[len(visits.resumed) % len(lengths)]):
        pass
    assert visits.resumed == [False] + [True] * (len(visits.resumed) - 1)
    assert turn.texts().items() <= shown(visits, turn.session).items()
    ids = [e["id"] for e in visits.payloads if e["type"] != "message.part.delta"]
    assert len(ids) == len(set(ids))


def test_the_id_may_stand_in_the_query(up, turn):
    visits = turn.reader
    for _ in range(3):
        assert not visits.visit(20, since=visits.last_id)
    turn.stop()
    while not visits.visit(40, since=visits.last_id):
        pass
    assert all(visits.resumed[1:])
    assert turn.texts().items() <= shown(visits, turn.session).items()


def test_one_who_comes_late_has_the_text_from_its_start(up, turn):
    with SseClient(f"{up.url}/global/event?session={turn.session}") as early:
        early.until(lambda event: event["payload"]["type"] == "message.part.delta")
    late = Visits(up.url, turns=2, session=turn.session)
    assert not late.visit(20)
    assert late.resumed == [False]
    turn.stop()
    assert late.visit(1_000_000)
    assert turn.texts().items() <= shown(late, turn.session).items()
    grown = [e for e in late.payloads if e["type"] == "message.part.updated"]
    assert any(e["properties"]["part"].get("text") for e in grown)


@pytest.mark.parametrize(
    "last_id", ["0123456789ab:7", "nonsense", "1:2-3.9", "ä" * 500, "a:1,b:2"]
)
def test_an_id_that_means_nothing_gets_all_that_is(up, last_id):
    session = up.session()
    answer = up.prompt(session, "hello")
    headers = {"Last-Event-ID": last_id.encode().decode("latin-1")}
    with SseClient(f"{up.url}/global/event?session={session}", headers) as stream:
        first = json.loads(stream.next().data)["payload"]
        assert first["properties"] == {"resumed": False}
        # The end of the turn may reach this worker after the answer has left the other.
        got = stream.until(lambda event: is_idle(event["payload"]))
    state = fold(event["payload"] for event in got)
    assert {"info": answer["info"], "parts": answer["parts"]} in state.messages_of(session)


def test_a_worker_that_has_just_started_resumes_readers_of_the_one_before(up):
    session = up.session()
    visits = Visits(up.url, session=session)
    visits.begin()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(up.prompt, session, f"rate 1000 {DELTAS}")
        assert not visits.visit(8)
        old = up.workers(2)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(old) & set(up.pids("worker")), what="the end of the workers")
        wait_until(up.answers, what="new workers")
        while not visits.visit(500):
            pass
        assert said_in_the_end(up, answer, session).items() <= shown(visits, session).items()
    assert visits.resumed[1:] == [True] * (len(visits.resumed) - 1)


def all_have_heard(up, event_id):
    """Tell whether every worker has heard of an event."""
    [(epoch, (seq, _))] = Place.parse(event_id).marks.items()
    rows = up.call("GET", "/weir/status").body["sources"]
    heard = [row["worker"] for row in rows if row["epoch"] == epoch and row["seq"] >= seq]
    return len(set(heard)) == 2


def said_in_the_end(up, answer, session):
    """The prompt's own request died with its worker: the answer is what is stored."""
    answer.exception()
    return texts(up.patiently("GET", f"/session/{session}/message").body)


def test_a_prompt_on_a_fresh_stream_is_not_ended_by_an_older_turn(up):
    """There are clients that end at the first word that a session is idle."""
    session = up.session()
    before = Visits(up.url, session=session)
    before.begin()
    up.prompt(session, "hello")
    assert before.visit(1_000_000)
    # The end of the turn may reach a worker after the answer has left the other.
    wait_until(lambda: all_have_heard(up, before.last_id), what="the end of the turn")
    with SseClient(f"{up.url}/event?directory=/srv/demo&session={session}") as stream:
        stream.next()
        assert up.call("POST", f"/session/{session}/prompt_async", prompt("again")).status == 204
        got = stream.until(lambda event: event["type"] == "session.idle")
    statuses = [e["properties"]["status"]["type"] for e in got if e["type"] == "session.status"]
    assert statuses == ["busy", "idle"]
    assert said(up.call("GET", f"/session/{session}/message").body[-1])
