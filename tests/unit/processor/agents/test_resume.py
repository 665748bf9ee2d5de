"""A processor that is killed in the middle of an agent's turn: the next one goes on with it."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import agent_lines as wire
from bus.bodies import PermissionBody, PromptBody, TextInput
from bus.commands import Asks, PermissionReply
from bus.events.catalogue import PermissionAsked
from processor.agents import agents
from processor.native.tool_calls import SHOWN_LENGTH
from tests.reference import fold
from tests.unit.processor.agents.author import END, Author, of_kind, until, words
from tests.unit.processor.rig import Rig


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    author = Author(Rig(tmp_path))
    yield author
    author.rig.close()


def kill(author: Author, return_s: float = 60.0) -> None:
    """Kill the processor, and have another one go on."""
    author.rig = author.rig.killed(return_s)


class Killed(Exception):
    """The processor ends here."""


@contextmanager
def nothing_is_saved() -> Iterator[None]:
    """Have a kill come before the commit."""
    with (
        mock.patch.object(agents, "commit", side_effect=Killed),
        mock.patch("processor.native.record.commit", side_effect=Killed),
    ):
        yield


def test_a_turn_goes_on_in_the_same_part(author: Author) -> None:
    epoch = author.send(author.begin(), words("t", "one ")).epoch
    kill(author)
    assert author.work(epoch).turns == ["t"]
    author.send(words("t", "two"), END, epoch=epoch, seq=3)
    info, parts = author.answer()
    assert [part["type"] for part in parts] == ["step-start", "text", "step-finish"]
    assert (parts[1]["text"], info.get("error")) == ("one two", None)


def test_lines_that_were_not_acknowledged_leave_nothing(author: Author) -> None:
    epoch = author.send(author.begin(), words("t", "one ")).epoch
    with nothing_is_saved(), pytest.raises(Killed):
        author.send(words("t", "two "), epoch=epoch, seq=3)
    author.rig.publisher.flush()
    told = author.rig.events
    kill(author)
    assert of_kind(author.answer()[1], "text")[0]["text"] == "one "
    assert "two" not in json.dumps(told)
    author.send(words("t", "two "), END, epoch=epoch, seq=3)
    assert of_kind(author.answer()[1], "text")[0]["text"] == "one two "


def test_a_turn_whose_agent_does_not_come_back_ends_as_an_error(author: Author) -> None:
    author.send(author.begin(), words("t", "half"))
    kill(author, return_s=0.0)
    until(lambda: author.rig.agents.tick() or "error" in author.answer()[0])
    info, parts = author.answer()
    assert "disconnected" in info["error"]["data"]["message"]
    assert of_kind(parts, "text")[0]["text"] == "half"


def test_an_agent_that_has_come_back_is_held_to_its_lease(author: Author) -> None:
    epoch = author.send(author.begin()).epoch
    kill(author)
    agent = author.rig.agents._agents[author.name]
    after_the_lease = time.monotonic() + 11
    until(lambda: agent.turns)
    agent.tick(after_the_lease)
    assert agent.turns
    author.work(epoch, lease=10.0)
    agent.tick(after_the_lease)
    assert "disconnected" in author.failed()[0]["error"]["data"]["message"]


def test_a_younger_process_ends_what_was_left(author: Author) -> None:
    epoch = author.send(author.begin(), words("t", "half")).epoch
    kill(author)
    author.work(epoch + 1)
    assert "taken over" in author.failed()[0]["error"]["data"]["message"]


def test_lines_without_an_epoch_go_on_with_the_turn(author: Author) -> None:
    author.send(author.begin(), words("t", "one "))
    kill(author)
    assert author.send(words("t", "two"), END).errors == []
    assert of_kind(author.answer()[1], "text")[0]["text"] == "one two"


def test_a_turn_that_waits_for_its_session_waits_on(author: Author) -> None:
    epoch = author.send(author.begin("first")).epoch
    author.send(author.begin("second"))
    kill(author)
    assert author.work(epoch).turns == ["first", "second"]
    author.send(words("first", "a"), wire.EndLine(turn="first"), epoch=epoch, seq=3)
    author.send(words("second", "b"), wire.EndLine(turn="second"), epoch=epoch, seq=5)
    parts = [json.loads(bytes(part)) for one in _messages(author) for part in one.parts]
    assert sorted(part["text"] for part in of_kind(parts, "text")) == ["a", "b", "do it", "do it"]


def _messages(author: Author) -> list[Any]:
    return author.rig.messages(author.session)


def test_a_prompt_of_others_is_handed_out_again_and_goes_on(author: Author) -> None:
    epoch = author.work().epoch
    body = PromptBody(parts=[TextInput(text="hi")], agent=author.name)
    message = author.rig.prompts.accept(author.session, body)
    [first] = until(lambda: author.work(epoch).work)
    author.send(words(message, "hello "), epoch=epoch)
    kill(author)
    [again] = until(lambda: author.work(epoch, after=first.number).work)
    assert (again.turn, again.text) == (message, "hi")
    author.send(words(message, "you"), wire.EndLine(turn=message), epoch=epoch, seq=2)
    assert of_kind(author.answer()[1], "text")[0]["text"] == "hello you"


def test_work_arrives_where_the_clock_of_the_last_processor_was_ahead(author: Author) -> None:
    epoch = author.work().epoch
    ahead = epoch * 1000 + 10**9
    body = PromptBody(parts=[TextInput(text="hi")], agent=author.name)
    message = author.rig.prompts.accept(author.session, body)
    [prompt] = until(lambda: author.work(epoch, after=ahead).work)
    assert (prompt.turn, prompt.number > ahead) == (message, True)


def test_what_a_turn_has_cost_and_its_deadline_outlast_a_kill(author: Author) -> None:
    author.send(author.begin(), wire.UsageLine(turn="t", input=3, cost=0.5))
    author.send(wire.DeadlineLine(turn="t", seconds=0.05))
    kill(author)
    assert "deadline of 0.05 s" in author.failed()[0]["error"]["data"]["message"]
    author.send(author.begin("u"), wire.UsageLine(turn="u", input=3, cost=0.5))
    kill(author)
    author.send(wire.EndLine(turn="u"))
    info, _ = author.answer()
    assert (info["tokens"]["input"], info["cost"]) == (3, 0.5)


def test_an_ask_waits_on_and_an_answer_that_was_given_arrives(author: Author) -> None:
    epoch = author.work().epoch
    asks = [wire.PermissionLine(turn="t", ask=name, permission="bash") for name in ("a", "b")]
    author.send(author.begin(), *asks, epoch=epoch)
    first, second = author.rig.asks.waiting(Asks("permission"))
    author.rig.asks.reply(PermissionReply(first.id, PermissionBody(reply="once")))
    kill(author)
    assert until(lambda: author.rig.asks.waiting(Asks("permission"))) == [second]
    author.rig.asks.reply(PermissionReply(second.id, PermissionBody(reply="always")))
    replies = [one for one in author.work(epoch).work if isinstance(one, wire.ReplyWork)]
    assert [(one.ask, one.reply) for one in replies] == [("a", "once"), ("b", "always")]
    author.rig.publisher.flush()
    assert isinstance(second, PermissionAsked)
    assert fold(author.rig.events).permissions == {}


def test_a_reply_that_comes_before_its_ask_is_saved_arrives(author: Author) -> None:
    epoch, save = author.send(author.begin()).epoch, author.rig.agents._save

    def reply_first(*args: Any) -> None:
        for asked in author.rig.asks.waiting(Asks("permission")):
            author.rig.asks.reply(PermissionReply(asked.id, PermissionBody(reply="once")))
        save(*args)

    with mock.patch.object(author.rig.agents, "_save", reply_first):
        author.send(wire.PermissionLine(turn="t", ask="q", permission="bash"), epoch=epoch, seq=2)
    kill(author)
    [reply] = until(lambda: author.work(epoch).work)
    assert (reply.ask, reply.reply) == ("q", "once")
    assert author.rig.asks.waiting(Asks("permission")) == []


def test_an_end_is_saved_with_its_number(author: Author) -> None:
    epoch = author.send(author.begin(), words("t", "all")).epoch
    with mock.patch.object(agents, "commit", side_effect=Killed), pytest.raises(Killed):
        author.send(END, epoch=epoch, seq=3)
    kill(author)
    assert author.send(END, epoch=epoch, seq=3).errors == []
    assert author.answer()[0]["finish"] == "stop"


def test_a_turn_that_has_ended_leaves_no_note(author: Author) -> None:
    author.send(author.begin(), wire.ToolLine(turn="t", call="c", tool="x", output="y"), END)
    for table in ("agent_turn", "output", "ask"):
        query = f"SELECT * FROM {table}"
        assert author.rig.database.call(lambda db, q=query: db.execute(q).fetchall()) == []


LONG = "o" * (SHOWN_LENGTH - 3)
TURN = st.sampled_from("tu")
LINES: st.SearchStrategy[wire.Line] = st.one_of(
    st.builds(
        wire.TextLine, turn=TURN, text=st.lists(st.sampled_from("abc"), min_size=1, max_size=4)
    ),
    st.builds(wire.ReasoningLine, turn=TURN, text=st.sampled_from("xyz")),
    st.builds(
        wire.ToolLine,
        turn=TURN,
        call=st.sampled_from("12"),
        tool=st.just("bash"),
        status=st.sampled_from(["pending", "running", "completed", "error"]),
        input=st.none() | st.just({"a": 1}),
        output=st.sampled_from(["", "p"]),
    ),
    st.builds(
        wire.OutputLine,
        turn=TURN,
        call=st.sampled_from("12"),
        text=st.sampled_from(["q\n", LONG]),
    ),
    st.builds(wire.UsageLine, turn=TURN, output=st.integers(0, 9)),
    st.builds(wire.TodosLine, turn=TURN, todos=st.just([wire.TodoInput("one")])),
    st.builds(wire.EndLine, turn=TURN),
)
VARIES = {"id", "sessionID", "messageID", "parentID", "start", "end", "created", "completed"}


def plain(value: Any) -> Any:
    """Return JSON without ids; of times only that they are there."""
    if isinstance(value, dict):
        return {key: key in VARIES or plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=12)
@given(
    lines=st.lists(LINES, max_size=14),
    kills=st.lists(st.tuples(st.integers(2, 17), st.booleans()), max_size=3),
)
def test_kills_at_any_place_change_nothing(
    lines: list[wire.Line], kills: list[tuple[int, bool]]
) -> None:
    """Each kill comes between two lines, or takes back what follows the last acknowledged one."""
    with tempfile.TemporaryDirectory() as folder:
        quiet, cut = Path(folder, "quiet"), Path(folder, "cut")
        quiet.mkdir()
        cut.mkdir()
        expected = _run(Author(Rig(quiet)), lines, [])
        assert _run(Author(Rig(cut)), lines, sorted(kills)) == expected


def _run(author: Author, lines: list[wire.Line], kills: list[tuple[int, bool]]) -> list[Any]:
    """Send lines of two turns, with kills; return what is stored of their sessions in the end."""
    other = Author(author.rig)
    begun = [author.begin("t"), other.begin("u")]
    every = [*begun, *lines, wire.EndLine(turn="t"), wire.EndLine(turn="u")]
    told: list[dict[str, Any]] = []
    epoch = author.work().epoch
    places = [0, *(min(at, len(every) - 1) for at, _ in kills), len(every)]
    for at, (start, stop) in enumerate(pairwise(places)):
        author.send(*every[start:stop], epoch=epoch, seq=start + 1)
        if at == len(kills):
            break
        if kills[at][1]:
            with nothing_is_saved(), suppress(Killed):
                author.send(*every[stop : stop + 3], epoch=epoch, seq=stop + 1)
        author.rig.publisher.flush()
        told += author.rig.events
        kill(author)
    author.rig.publisher.flush()
    state = fold([*told, *author.rig.events])
    found = []
    for session in (author.session, other.session):
        stored = [
            {"info": json.loads(bytes(m.info)), "parts": [json.loads(bytes(p)) for p in m.parts]}
            for m in author.rig.messages(session)
        ]
        assert state.messages_of(session) == stored
        found.append(plain(stored))
    author.rig.close()
    return found
