"""The tools that work on the session, not on files: `todowrite`, `question` and `task`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bus.agent_lines import MOST_TODOS, TodoInput
from bus.events.session import Option, Question
from processor.tools.arguments import decoded, schema
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

MOST_QUESTIONS = 20
_TODO = """Keeps the list of what is to be done in this session, for people to follow.

- Use it for work of three steps or more. Give the whole list each time.
- Exactly one item is `in_progress` while work remains; an item is `completed` once it is done."""
_QUESTION = """Asks the user questions, and waits for the answers.

- A question has a short `header` and the `options` to choose from. The user may also write an
  answer, so no option "other" is needed.
- Put the option that you recommend first."""
_TASK = """Gives a task to another agent in a session of its own, and returns the answer.

- The agent knows nothing of this session: the prompt must say all, and what to return.
- The user does not see the answer; sum it up.
- `task_id` goes on with an earlier task."""


class TodoArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `todowrite`."""

    todos: Annotated[list[TodoInput], Meta(description="The whole list", max_length=MOST_TODOS)]


class OptionInput(Struct):
    """One possible answer."""

    label: str
    description: str = ""


class QuestionInput(Struct):
    """One question."""

    question: Annotated[str, Meta(min_length=1)]
    header: str = ""
    options: list[OptionInput] = []
    multiple: bool | None = None
    custom: bool | None = None


class QuestionArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `question`."""

    questions: Annotated[
        list[QuestionInput],
        Meta(description="The questions", min_length=1, max_length=MOST_QUESTIONS),
    ]


class TaskArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `task`."""

    description: Annotated[str, Meta(description="The task in 3 to 5 words")]
    prompt: Annotated[str, Meta(description="What the agent is to do")]
    subagent_type: Annotated[str | None, Meta(description="The agent")] = None
    task_id: Annotated[str | None, Meta(description="A task to go on with")] = None
    command: Annotated[str | None, Meta(description="The command behind this task")] = None


def session_tools() -> list[Tool]:
    """Return the tools `todowrite`, `question` and `task`."""
    return [
        Tool("todowrite", _TODO, schema(TodoArguments), _todowrite),
        Tool("question", _QUESTION, schema(QuestionArguments), _question),
        Tool("task", _TASK, schema(TaskArguments), _task),
    ]


def _todowrite(arguments: object, call: Call) -> Outcome:
    todos = decoded(arguments, TodoArguments, "todowrite").todos
    call.need(Need("todowrite", ["*"], ["*"]))
    call.todos(todos)
    listed = msgspec.to_builtins(todos)
    left = sum(todo.status != "completed" for todo in todos)
    output = msgspec.json.format(msgspec.json.encode(listed), indent=2).decode()
    return Outcome(output, f"{left} todos", {"todos": listed})


def _question(arguments: object, call: Call) -> Outcome:
    asked = decoded(arguments, QuestionArguments, "question").questions
    answers = call.ask([_as_question(one) for one in asked])
    said = ", ".join(
        f'"{one.question}"="{", ".join(labels) or "Unanswered"}"'
        for one, labels in zip(asked, answers, strict=False)
    )
    output = (
        f"User has answered your questions: {said}. "
        "You can now continue with the user's answers in mind."
    )
    title = f"Asked {len(asked)} question{'s' if len(asked) > 1 else ''}"
    return Outcome(output, title, {"answers": answers})


def _as_question(one: QuestionInput) -> Question:
    options = [Option(option.label, option.description) for option in one.options]
    question = Question(one.question, one.header or one.question[:30], options)
    if one.multiple is not None:
        question.multiple = one.multiple
    if one.custom is not None:
        question.custom = one.custom
    return question


def _task(arguments: object, call: Call) -> Outcome:
    wanted = decoded(arguments, TaskArguments, "task")
    if not wanted.prompt.strip():
        raise ToolFailed("prompt: is empty; say what the agent is to do")
    agent = wanted.subagent_type
    said = {"description": wanted.description, "subagent_type": agent}
    call.need(Need("task", [agent or "*"], ["*"], said))
    answer = call.child(wanted.prompt, agent, wanted.description, wanted.task_id)
    output = (
        f'<task id="{answer.session}" state="completed">\n<task_result>\n{answer.text}\n'
        "</task_result>\n</task>"
    )
    metadata = {"parentSessionId": call.session, "sessionId": answer.session}
    return Outcome(output, wanted.description, metadata)
