"""Scripts of a whole turn: texts with calls of tools between them, a request of opencode each."""

from tests.fakes import tools
from tests.fakes.answer import Answer
from tests.fakes.texts import numbered

WRITTEN = "what it holds"


def parts(answer: Answer, texts: int, n: int, size: int) -> None:
    answer.deltas(numbered(n, size))
    if answer.results < texts - 1:
        answer.tool_call("todowrite", {"todos": tools.TODO_LIST})
        answer.finish("tool_calls")
    else:
        answer.finish()


def work(answer: Answer, path: str | int, command: str | int, n: int) -> None:
    if answer.results == 0:
        answer.deltas(numbered(n), "reasoning_content")
    answer.deltas(numbered(n))
    calls = (
        ("todowrite", {"todos": tools.TODO_LIST}),
        ("write", {"filePath": str(path), "content": WRITTEN}),
        ("bash", {"command": str(command), "description": "what the script says"}),
    )
    if answer.results < len(calls):
        answer.tool_call(*calls[answer.results])
        answer.finish("tool_calls")
    else:
        answer.finish()
