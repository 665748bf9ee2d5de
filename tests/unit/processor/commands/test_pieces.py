"""Long answers in pieces: whatever their size, they join to the JSON of one whole answer."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.answers import AnswerBody, CommandFailed
from bus.bodies import CreateBody, PartInput, PromptBody, TextInput
from bus.commands import MessageGet, MessageList, More, SessionList
from bus.events.part import TokenCounts
from processor.commands import pieces as commands
from processor.commands.pieces import Pieces
from processor.store import drafts, messages
from processor.store.messages import UnknownMessage
from tests.unit.processor.rig import DIRECTORY, Rig

LEAST = 4096
LONG = "täxt \u0001\U0001f600" * 2000


def prompt(rig: Rig, session: str, *texts: str) -> str:
    parts: list[PartInput] = [TextInput(text=text) for text in texts]
    return rig.prompts.accept(session, PromptBody(parts=parts, noReply=True))


def whole(rig: Rig, session: str) -> Any:
    return json.loads(messages._encode(rig.messages(session)))


def follow(
    reader: Pieces, body: AnswerBody, between: Any = lambda: None, size: int = LEAST
) -> Any:
    """Return what an answer says that begins with `body`; no piece is much longer than asked."""
    found = [body.json]
    while body.more is not None:
        between()
        body = reader.more(More(body.more, size))
        found.append(body.json)
    assert all(len(one) < 2 * size for one in found), [len(one) for one in found]
    return json.loads(b"".join(found))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are as short beside these pieces as the real ones are beside real pieces."""
    monkeypatch.setattr(drafts, "CHUNK_LENGTH", 50)


@pytest.fixture
def reader(rig: Rig) -> Pieces:
    return Pieces(rig.services)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    lengths=st.lists(
        st.lists(st.sampled_from([1, 700, 3900, 9000]), min_size=1, max_size=3), max_size=6
    ),
    limit=st.none() | st.integers(1, 7),
    size=st.integers(LEAST, 3 * LEAST),
)
def test_pieces_of_any_size_join_to_the_whole(
    rig: Rig, lengths: list[list[int]], limit: int | None, size: int
) -> None:
    reader = Pieces(rig.services)
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    for texts in lengths:
        prompt(rig, session, *((LONG * 2)[:length] for length in texts))
    body = reader.messages(MessageList(session, limit, size=size))
    found = [body.json]
    while body.more is not None:
        body = reader.more(More(body.more, size))
        found.append(body.json)
    expected = whole(rig, session)
    assert json.loads(b"".join(found)) == (expected if limit is None else expected[-limit:])


def test_a_message_alone_comes_in_pieces_too(rig: Rig, reader: Pieces) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    prompt(rig, session, "before")
    message = prompt(rig, session, LONG, "short", LONG)
    prompt(rig, session, "behind")
    body = reader.message(MessageGet(session, message, LEAST))
    assert body.more is not None
    assert follow(reader, body) == whole(rig, session)[1]


@pytest.mark.parametrize("end", ["finish", "abort"])
@pytest.mark.parametrize("after", range(7))
def test_a_text_that_grows_while_it_is_read_is_read_as_a_prefix(
    rig: Rig, reader: Pieces, end: str, after: int
) -> None:
    turn = rig.turn("x")
    session = rig.events[0]["properties"]["sessionID"]
    turn.begin()
    turn.text(LONG)
    pieces_seen = 0

    def between() -> None:
        nonlocal pieces_seen
        pieces_seen += 1
        if pieces_seen < after:
            turn.text("and on")
            rig.drafts.flush()
        elif pieces_seen == after:
            turn.finish("stop", TokenCounts.none()) if end == "finish" else turn.abort()

    body = reader.messages(MessageList(session, size=LEAST))
    if after == 0:
        between()
    found = follow(reader, body, between)
    text = found[-1]["parts"][-1 if end == "abort" else 1]["text"]
    assert text.startswith(LONG)
    assert text.removeprefix(LONG).replace("and on", "") == ""
    assert pieces_seen > 7, "the text was too short to be cut often enough"


def test_a_session_that_goes_while_it_is_read_breaks_the_answer_off(
    rig: Rig, reader: Pieces
) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    for _ in range(3):
        prompt(rig, session, LONG)
    whole_messages = reader.messages(MessageList(session, size=LEAST))
    rig.sessions.delete(session)
    assert whole_messages.more is not None
    with pytest.raises(UnknownMessage):
        reader.more(More(whole_messages.more))


def test_a_list_ends_where_it_ended_when_it_was_asked_for(rig: Rig, reader: Pieces) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    for _ in range(3):
        prompt(rig, session, LONG)
    expected = whole(rig, session)
    body = reader.messages(MessageList(session, size=LEAST))
    assert follow(reader, body, lambda: prompt(rig, session, "more")) == expected


def test_a_session_that_changes_while_sessions_are_listed_is_listed_once(
    rig: Rig, reader: Pieces
) -> None:
    ids = [rig.sessions.create(DIRECTORY, CreateBody(title="t" * 900)).id for _ in range(20)]

    def touch() -> None:
        prompt(rig, ids[0], "moves to the front")

    body = reader.sessions(SessionList(DIRECTORY, size=LEAST))
    assert body.more is not None
    found = follow(reader, body, touch)
    assert sorted(one["id"] for one in found) == sorted(ids)


def test_sessions_that_go_while_they_are_listed_are_left_out(rig: Rig, reader: Pieces) -> None:
    ids = [rig.sessions.create(DIRECTORY, CreateBody(title="t" * 900)).id for _ in range(20)]
    body = reader.sessions(SessionList(DIRECTORY, size=LEAST))
    listed = len(json.loads(body.json + b"]"))
    for name in sorted(ids)[listed:]:
        rig.sessions.delete(name)
    assert len(follow(reader, body)) == listed


@pytest.mark.parametrize("token", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x92\x02\xa1x"])
def test_a_token_that_was_never_given_out_is_refused(reader: Pieces, token: bytes) -> None:
    with pytest.raises(CommandFailed, match="token"):
        reader.more(More(token))


def test_a_huge_text_is_never_held_whole(rig: Rig, reader: Pieces) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    prompt(rig, session, "x" * 3_000_000)
    body = reader.messages(MessageList(session, size=commands._MOST_BYTES))
    assert len(follow(reader, body, size=commands._MOST_BYTES)[0]["parts"][0]["text"]) == 3_000_000


def test_the_json_of_a_long_text_is_not_parsed_for_each_piece(rig: Rig, reader: Pieces) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    prompt(rig, session, "x" * 100_000)
    parsed: list[object] = []
    rig.database.call(
        lambda db: db.create_function("json_extract", 2, lambda *a: parsed.append(a))
    )
    follow(reader, reader.messages(MessageList(session, size=LEAST)))
    assert not parsed
