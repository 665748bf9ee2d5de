"""Agents of one's own: a line becomes events once, in order, and is saved when it is taken."""

import time
from typing import Any

import gevent
import pytest

from bus import agent_lines as wire
from bus.agent_commands import AgentWork
from bus.agent_lines import LineError
from bus.answers import CommandFailed
from bus.bodies import PermissionBody, PromptBody, TextInput
from bus.commands import Asks, PermissionReply, QuestionReply
from bus.events.session import Option, Question
from processor.agents.agents import Agents
from processor.agents.lines import DELTAS_AT_ONCE
from processor.native.tool_calls import MOST_OUTPUT
from processor.store import agents as store
from tests.processes import DEADLINE_S
from tests.reference import fold
from tests.unit.processor.agents.author import END, Author, of_kind, until, words
from tests.unit.processor.rig import DIRECTORY, Rig


def handed_out(rig: Rig, author: Author) -> tuple[str, int, wire.PromptWork]:
    """Send a prompt, and have a process of the agent receive the prompt and send no line.

    Return the id of the prompt's turn, the epoch of this process, and the work item.
    """
    epoch = author.work().epoch
    body = PromptBody(parts=[TextInput(text="hi")], agent=author.name)
    message = rig.prompts.accept(author.session, body)
    [prompt] = until(lambda: author.work(epoch=epoch).work)
    author.work(epoch=epoch, after=prompt.number)
    return message, epoch, prompt


def test_a_turn_reads_as_it_was_written(rig: Rig, author: Author) -> None:
    taken = author.send(
        author.begin(),
        wire.ReasoningLine(turn="t", text="hm"),
        words("t", "Hello ", "world"),
        wire.ToolLine(turn="t", call="c", tool="bash", input={"command": "ls"}),
        wire.OutputLine(turn="t", call="c", text="a.txt\n"),
        wire.ToolLine(turn="t", call="c", status="completed", output="b.txt\n"),
        words("t", "Done."),
        wire.TodosLine(turn="t", todos=[wire.TodoInput("one", "completed")]),
        wire.UsageLine(turn="t", input=3, output=4, cost=0.5),
        END,
    )
    assert (taken.seq, taken.errors) == (10, [])
    info, parts = author.answer()
    assert [part["type"] for part in parts] == [
        *("step-start", "reasoning", "text", "tool", "text", "step-finish")
    ]
    assert parts[3]["state"]["output"] == "a.txt\nb.txt\n"
    assert (info["finish"], info["cost"], info["tokens"]["output"]) == ("stop", 0.5, 4)
    state = fold(rig.events)
    assert state.messages_of(author.session)[-1]["parts"] == parts
    assert state.todos[author.session] == [
        {"content": "one", "status": "completed", "priority": "medium"}
    ]
    assert rig.database.call(store.todos, author.session)[0].content == "one"
    told = [e["properties"]["part"]["state"]["status"] for e in _tool_events(rig)]
    assert (told[0], told[-1]) == ("pending", "completed")


def _tool_events(rig: Rig) -> list[dict[str, Any]]:
    updated = [e for e in rig.events if e["type"] == "message.part.updated"]
    return [e for e in updated if e["properties"]["part"]["type"] == "tool"]


def test_lines_that_come_again_are_taken_once(author: Author) -> None:
    epoch = author.send(author.begin()).epoch
    lines = [words("t", "one "), words("t", "two ")]
    author.send(*lines, epoch=epoch, seq=2)
    again = author.send(*lines, words("t", "three"), END, epoch=epoch, seq=2)
    assert (again.seq, again.errors) == (5, [])
    assert of_kind(author.answer()[1], "text")[0]["text"] == "one two three"


def test_a_line_that_is_refused_is_refused_again_when_it_comes_again(author: Author) -> None:
    epoch = author.send(author.begin()).epoch
    first = author.send(words("x", "late"), epoch=epoch, seq=2)
    again = author.send(words("x", "late"), words("t", "good"), epoch=epoch, seq=2)
    assert again.errors == first.errors != []


def test_what_is_acknowledged_is_in_the_store(rig: Rig, author: Author) -> None:
    taken = author.send(author.begin(), words("t", "saved"))
    assert rig.database.call(store.all_of_them)[author.name] == (taken.epoch, taken.seq)
    assert of_kind(author.answer()[1], "text")[0]["text"] == "saved"


def test_lines_that_are_missing_are_asked_for(author: Author) -> None:
    author.send(author.begin())
    with pytest.raises(CommandFailed, match="line 2 comes next") as failed:
        author.send(END, seq=3)
    assert failed.value.kind == "conflict"


def test_an_older_process_is_fenced_and_its_turn_ends(rig: Rig, author: Author) -> None:
    old = author.send(author.begin(), words("t", "half")).epoch
    new = author.work(epoch=old + 1)
    assert new.seq == 0
    with pytest.raises(CommandFailed, match="fenced"):
        author.send(words("t", "zombie"), epoch=old, seq=3)
    info, parts = author.failed()
    assert "taken over" in info["error"]["data"]["message"]
    assert of_kind(parts, "text")[0]["text"] == "half"


def test_a_fence_outlasts_the_processor(rig: Rig, author: Author) -> None:
    epoch = author.work(epoch=7).epoch
    later = Agents(rig.services, rig.asks, None, rig.turns, rig.turn_for)
    with pytest.raises(CommandFailed, match="fenced"):
        later.work(AgentWork(author.name, epoch - 1, 0, 0, 10.0))


BAD = {
    "never begun": (words("x", "late"), "never begun"),
    "never opened": (wire.OutputLine(turn="t", call="c", text="x"), "never opened"),
    "without a name": (wire.ToolLine(turn="t", call="c"), "tool: missing"),
    "begun twice": (wire.BeginLine(turn="t", session="ses_1", prompt="x"), "runs already"),
    "ask of no call": (
        wire.PermissionLine(turn="t", ask="a", permission="bash", call="c"),
        "never opened",
    ),
    "unknown session": (
        wire.BeginLine(turn="u", session="ses_1", prompt="x"),
        "Session not found",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_line_that_cannot_be_is_named_and_the_rest_goes_on(author: Author, case: str) -> None:
    line, words_of_it = BAD[case]
    taken = author.send(author.begin(), words("t", "a"), line, words("t", "b"), END)
    [error] = taken.errors
    assert error.seq == 3
    assert words_of_it in error.message
    assert of_kind(author.answer()[1], "text")[0]["text"] == "ab"


def test_nothing_follows_the_end_of_a_turn_or_of_a_call(author: Author) -> None:
    taken = author.send(
        author.begin(),
        wire.ToolLine(turn="t", call="c", tool="bash", status="error", error="no"),
        wire.OutputLine(turn="t", call="c", text="x"),
        wire.ToolLine(turn="t", call="c", tool="bash"),
        END,
        words("t", "late"),
    )
    assert [error.seq for error in taken.errors] == [3, 4, 6]
    assert taken.errors[-1] == LineError(6, "turn: 't' has ended", "t", over=True)


def test_a_call_that_is_open_at_the_end_of_its_turn_fails(author: Author) -> None:
    author.send(author.begin(), wire.ToolLine(turn="t", call="c", tool="bash"), END)
    [call] = of_kind(author.answer()[1], "tool")
    assert call["state"]["status"] == "error"


def test_the_output_of_a_call_is_bounded(author: Author) -> None:
    lines = [wire.OutputLine(turn="t", call="c", text="x" * (MOST_OUTPUT // 2))] * 3
    begun = author.begin(), wire.ToolLine(turn="t", call="c", tool="bash")
    taken = author.send(*begun, *lines, END)
    assert [error.seq for error in taken.errors] == [5]


def test_an_agent_that_falls_silent_leaves_an_error_and_what_was_saved(author: Author) -> None:
    taken = author.send(author.begin(), words("t", "half"))
    agent = author.rig.agents._agents[author.name]
    agent.tick(float("inf"))
    info, parts = author.failed()
    assert "disconnected" in info["error"]["data"]["message"]
    assert of_kind(parts, "text")[0]["text"] == "half"
    [late] = author.send(END, epoch=taken.epoch).errors
    assert "disconnected" in late.message


def test_a_deadline_ends_a_turn_and_its_agent_hears_of_it(author: Author) -> None:
    author.send(author.begin(), wire.DeadlineLine(turn="t", seconds=0.01))
    assert "deadline" in author.failed()[0]["error"]["data"]["message"]
    [abort] = author.rig.agents._agents[author.name].work(0, 0)
    assert isinstance(abort, wire.AbortWork)
    assert "deadline" in abort.reason


def test_prompts_wait_for_their_agent_and_go_to_it(rig: Rig, author: Author) -> None:
    epoch = author.work().epoch
    body = PromptBody(parts=[TextInput(text="hi")], agent=author.name)
    message = rig.prompts.accept(author.session, body)
    [prompt] = until(lambda: author.work(epoch=epoch).work)
    assert (prompt.turn, prompt.text, prompt.session) == (message, "hi", author.session)
    [again] = author.work(epoch=epoch).work
    assert again == prompt
    assert author.work(epoch=epoch, after=prompt.number).work == []
    author.send(words(message, "hello"), wire.EndLine(turn=message), epoch=epoch)
    assert of_kind(author.answer()[1], "text")[0]["text"] == "hello"
    assert author.work(epoch=epoch).work == []


def test_a_prompt_whose_process_dies_before_a_line_goes_to_the_next_process(
    rig: Rig, author: Author
) -> None:
    message, epoch, prompt = handed_out(rig, author)
    assert author.work(epoch=epoch + 1).work == [prompt]
    author.send(words(message, "hello"), wire.EndLine(turn=message), epoch=epoch + 1)
    info, parts = author.answer()
    assert (of_kind(parts, "text")[0]["text"], info.get("error")) == ("hello", None)


def test_a_prompt_goes_to_another_process_once(rig: Rig, author: Author) -> None:
    _, epoch, prompt = handed_out(rig, author)
    author.work(epoch=epoch + 1, after=prompt.number)
    assert author.work(epoch=epoch + 2).work == []
    assert "taken over" in author.failed()[0]["error"]["data"]["message"]


def test_a_prompt_that_was_begun_goes_to_no_other_process(rig: Rig, author: Author) -> None:
    message, epoch, _ = handed_out(rig, author)
    author.send(words(message, "half"), epoch=epoch)
    assert author.work(epoch=epoch + 1).work == []
    assert "taken over" in author.failed()[0]["error"]["data"]["message"]


def test_a_prompt_waits_for_the_process_after_one_that_fell_silent(
    rig: Rig, author: Author
) -> None:
    _, epoch, prompt = handed_out(rig, author)
    agent = rig.agents._agents[author.name]
    agent.tick(time.monotonic() + 11)  # the lease is over
    assert author.work(epoch=epoch + 1).work == [prompt]
    author.work(epoch=epoch + 1, after=prompt.number)
    agent.tick(time.monotonic() + 22)
    assert "disconnected" in author.failed()[0]["error"]["data"]["message"]


def test_a_prompt_that_no_process_takes_ends_as_an_error(rig: Rig, author: Author) -> None:
    handed_out(rig, author)
    agent = rig.agents._agents[author.name]
    agent.tick(time.monotonic() + 11)
    agent.tick(time.monotonic() + 80)
    assert "not connected" in author.failed()[0]["error"]["data"]["message"]


def test_a_turn_waits_for_its_session_and_its_lines_wait_with_it(rig: Rig, author: Author) -> None:
    author.send(author.begin("first"))
    author.send(author.begin("second"))
    agent = rig.agents._agents[author.name]
    writer = gevent.spawn(author.send, words("second", "after"), wire.EndLine(turn="second"))
    other = Author(rig, "other")
    other.send(other.begin(), words("t", "not held up"), END)
    assert not writer.ready()
    rig.turns.abort([author.session], 1)
    until(lambda: rig.agents.tick() or not agent.begun)
    assert [error.over for error in writer.get(timeout=DEADLINE_S).errors] == [True, True]


def test_asks_reach_people_and_their_answers_the_agent(rig: Rig, author: Author) -> None:
    epoch = author.work().epoch
    author.send(
        author.begin(),
        wire.ToolLine(turn="t", call="c", tool="bash"),
        wire.PermissionLine(turn="t", ask="a", permission="bash", patterns=["rm"], call="c"),
        wire.QuestionsLine(turn="t", ask="q", questions=[Question("why", "w", [Option("x", "")])]),
        epoch=epoch,
    )
    [permission] = rig.asks.waiting(Asks("permission", DIRECTORY))
    [question] = rig.asks.waiting(Asks("question"))
    assert rig.asks.waiting(Asks("permission", "/elsewhere")) == []
    assert permission.tool.callID == "c"
    with pytest.raises(CommandFailed, match="one list for each question"):
        rig.asks.answer(QuestionReply(question.id, []))
    rig.asks.answer(QuestionReply(question.id, [["x"]]))
    rig.asks.reply(PermissionReply(permission.id, PermissionBody(reply="always")))
    with pytest.raises(CommandFailed, match="not found"):
        rig.asks.reply(PermissionReply(permission.id, PermissionBody(reply="once")))
    answers, leave = author.work(epoch=epoch).work
    assert (answers.ask, answers.answers, leave.ask, leave.reply) == ("q", [["x"]], "a", "always")
    rig.publisher.flush()
    state = fold(rig.events)
    assert (state.permissions, state.questions) == ({}, {})


def test_asks_of_a_turn_that_ends_are_refused(rig: Rig, author: Author) -> None:
    author.send(author.begin(), wire.PermissionLine(turn="t", ask="a", permission="bash"))
    rig.turns.abort([author.session], 1)
    assert rig.asks.waiting(Asks("permission")) == []
    rig.publisher.flush()
    [replied] = [e for e in rig.events if e["type"] == "permission.replied"]
    assert replied["properties"]["reply"] == "reject"


def test_many_deltas_of_a_line_let_others_run(rig: Rig, author: Author) -> None:
    turned: list[int] = []
    other = gevent.spawn(lambda: [(turned.append(1), gevent.sleep(0)) for _ in range(1000)])
    author.send(author.begin(), words("t", *["x" * 20] * (DELTAS_AT_ONCE * 200)), END)
    other.kill()
    assert len(turned) > 5
