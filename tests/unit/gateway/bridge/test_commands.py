import msgspec
import pytest

from bus.answers import AnswerBody, CommandFailed
from bus.bodies import CreateBody, PermissionBody
from bus.commands import (
    Abort,
    Describe,
    More,
    PermissionReply,
    Readiness,
    Replay,
    SessionCreate,
    SessionGet,
    SessionList,
    SessionsV2,
    SnapshotGet,
    Statuses,
)
from bus.ledger import snapshot
from gateway.bridge.commands import CommandRouter
from gateway.bridge.mirror import Mirror
from gateway.bridge.processors import Processors
from tests.unit.gateway.bridge.sources import published, stored


class Reader:
    """Two sources; `p1` has the session `ses` of the test events."""

    def __init__(self):
        one = published("ab")
        self.mirrors = {"p1": Mirror(stored(one), one.journal.envelopes())}
        two = snapshot.encode(published("").ledger, "p2", "1a2b3c4d5e6f7", 0, 0)
        empty = msgspec.structs.replace(snapshot.decode(two), entries=[])
        self.mirrors["p2"] = Mirror(empty, [])
        self.alive = {"p1", "p2"}
        self.failure = ""
        self.restarts = {}


class Told(Processors):
    """Notes who is asked what, and answers by a script."""

    def __init__(self, reader):
        super().__init__(reader, "redis://somewhere", connect=None)
        self.asked = []
        self.answers = {}

    def ask(self, source, command, deadline_s=60.0):
        if source not in self._reader.alive:
            raise self.absence(source)
        self.asked.append((source, command))
        answer = self.answers.get(source, AnswerBody(b"true"))
        if isinstance(answer, CommandFailed):
            raise answer
        return answer


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def processors(reader):
    return Told(reader)


@pytest.fixture
def commands(processors):
    return CommandRouter(processors)


def asked(processors):
    return [source for source, _ in processors.asked]


def test_a_command_of_a_session_goes_to_the_processor_that_has_it(commands, processors):
    commands.handle(Abort("ses"))
    assert asked(processors) == ["p1"]


def test_a_session_that_is_not_known_is_looked_for_once(commands, processors):
    processors.answers["p1"] = CommandFailed("not_found", "no such session")
    commands.handle(SessionGet("ses_old"))
    commands.handle(SessionGet("ses_old"))
    assert asked(processors) == ["p1", "p2", "p2"]


def test_a_session_that_no_processor_has_is_not_found(commands, processors):
    for source in ("p1", "p2"):
        processors.answers[source] = CommandFailed("not_found", "no such session")
    with pytest.raises(CommandFailed, match="no such session"):
        commands.handle(SessionGet("ses_none"))


def test_a_session_that_a_dead_processor_may_have_is_not_called_missing(
    commands, processors, reader
):
    reader.alive = {"p2"}
    processors.answers["p2"] = CommandFailed("not_found", "no such session")
    for session in ("ses", "ses_old"):
        with pytest.raises(CommandFailed, match="processor p1 no longer shows") as failed:
            commands.handle(SessionGet(session))
        assert failed.value.kind == "unavailable"


def test_a_new_session_goes_to_the_least_busy_processor_and_a_child_to_its_parent(
    commands, processors, reader
):
    reader.mirrors["p1"].__class__ = type("Busy", (Mirror,), {"turns": 3})
    commands.handle(SessionCreate("/d", CreateBody()))
    commands.handle(SessionCreate("/d", CreateBody(parentID="ses")))
    assert asked(processors) == ["p2", "p1"]


def test_lists_are_merged(commands, processors):
    def session(name, updated):
        return {"id": name, "time": {"updated": updated}}

    processors.answers["p1"] = AnswerBody(msgspec.json.encode([session("a", 3), session("b", 1)]))
    processors.answers["p2"] = AnswerBody(msgspec.json.encode([session("c", 2)]))
    answer = commands.handle(SessionList(limit=2))
    assert [one["id"] for one in msgspec.json.decode(answer.json)] == ["a", "c"]
    processors.answers = {"p1": AnswerBody(b'{"a":1}'), "p2": AnswerBody(b'{"b":2}')}
    assert msgspec.json.decode(commands.handle(Statuses()).json) == {"a": 1, "b": 2}


def test_readiness_needs_one_processor_and_names_those_that_are_away(commands, processors, reader):
    processors.answers["p2"] = AnswerBody(b'{"ready":true,"reasons":["well"]}')
    reader.alive = {"p2"}
    report = msgspec.json.decode(commands.handle(Readiness()).json)
    assert report == {"ready": True, "reasons": ["p2: well", "p1: shows no sign of life"]}
    reader.failure, reader.alive = "connection refused", set()
    report = msgspec.json.decode(commands.handle(Readiness()).json)
    assert report["ready"] is False
    assert "Redis at redis://somewhere cannot be used: connection refused" in report["reasons"][0]


def test_the_next_piece_comes_from_the_processor_that_sent_the_first(commands, processors):
    commands.handle(More(b"p2\0token"))
    assert processors.asked == [("p2", More(b"token"))]


def test_replays_and_snapshots_come_from_the_mirrors(commands, processors, reader):
    mirror = reader.mirrors["p1"]
    assert commands.handle(Replay(mirror.epoch, 0)).json
    assert snapshot.decode(commands.handle(SnapshotGet("p1")).json).seq == mirror.seq
    assert snapshot.decode(commands.handle(SnapshotGet()).json).source == "p1"
    with pytest.raises(CommandFailed, match="has ended"):
        commands.handle(Replay("1a2b", 0))
    assert processors.asked == []


def test_pages_over_several_processors_are_refused(commands):
    with pytest.raises(CommandFailed, match="2 processors share this bus") as failed:
        commands.handle(SessionsV2())
    assert failed.value.kind == "unsupported"


def test_a_reply_to_a_request_that_is_not_open_is_not_found(commands):
    with pytest.raises(CommandFailed, match="request per_1 is not open"):
        commands.handle(PermissionReply("per_1", PermissionBody(reply="once")))


def test_any_processor_describes(commands, processors):
    commands.handle(Describe("agent", "/d"))
    assert asked(processors) == ["p1"]
