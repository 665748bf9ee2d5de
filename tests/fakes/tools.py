"""Scripts in which the model calls a tool of opencode, and goes on when it has the result.

opencode asks the model twice: the same prompt comes again, with the tool's result behind it.
"""

import json

from tests.fakes.answer import Answer
from tests.fakes.texts import numbered

QUESTION = "Which way?"
OPTIONS = ("left", "right")
TODOS = ("dig a channel", "set the gate")
TODO_LIST = [{"content": what, "status": "pending", "priority": "high"} for what in TODOS]
_AFTERWARDS = 3
"""Deltas that follow a tool whose script names no number."""


def tool(answer: Answer, name: str, arguments: str | int, n: int) -> None:
    """Call a tool as the demo model does: the arguments are JSON, or of bash the command."""
    given = str(arguments)
    if name == "bash" and not given.startswith("{"):
        _call(answer, name, {"command": given, "description": "what the script says"}, n)
    else:
        _call(answer, name, json.loads(given), n)


def write(answer: Answer, path: str | int, text: str | int) -> None:
    _call(answer, "write", {"filePath": str(path), "content": str(text)})


def edit(answer: Answer, path: str | int, old: str | int, new: str | int) -> None:
    what = {"filePath": str(path), "oldString": str(old), "newString": str(new)}
    _call(answer, "edit", what)


def delegate(answer: Answer, script: str | int) -> None:
    what = {"description": "what the script says", "prompt": str(script)}
    _call(answer, "task", what | {"subagent_type": "general"})


def question(answer: Answer) -> None:
    options = [{"label": label, "description": f"go {label}"} for label in OPTIONS]
    asked = {"question": QUESTION, "header": "Way", "options": options}
    _call(answer, "question", {"questions": [asked]})


def todo(answer: Answer) -> None:
    _call(answer, "todowrite", {"todos": TODO_LIST})


def _call(answer: Answer, tool: str, arguments: dict, n: int = _AFTERWARDS) -> None:
    if answer.has_result:
        answer.deltas(numbered(n))
        answer.finish()
    else:
        answer.tool_call(tool, arguments)
        answer.finish("tool_calls")
