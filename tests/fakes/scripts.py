"""What the scripted provider says: one function per script, found by the prompt."""

import re
import time
from collections.abc import Callable

from tests.fakes import tools, turns
from tests.fakes.answer import Answer
from tests.fakes.texts import DEFAULT_SIZE, numbered, stamped, words

TITLE = "A scripted session"


def storm(answer: Answer, n: int, size: int = DEFAULT_SIZE) -> None:
    answer.deltas(numbered(n, size))
    answer.finish()


def rate(answer: Answer, per_second: float, n: int, size: int = DEFAULT_SIZE) -> None:
    start, sent = time.monotonic(), 0
    while sent < n:
        # All that is due by now, so that a late wake-up is caught up with and never adds up.
        due = min(n, int((time.monotonic() - start) * per_second) + 1)
        answer.deltas(stamped(i, size) for i in range(sent, due))
        sent = max(sent, due)
        answer.wait(max(0.0, start + sent / per_second - time.monotonic()))
    answer.finish()


def reason(answer: Answer, thoughts: int, texts: int) -> None:
    answer.deltas(numbered(thoughts), "reasoning_content")
    answer.deltas(numbered(texts))
    answer.finish()


def length(answer: Answer, n: int) -> None:
    answer.deltas(numbered(n))
    answer.finish("length")


def error(answer: Answer, status: int, message: str | int) -> None:
    answer.refuse(status, str(message))


def later(answer: Answer, seconds: int) -> None:
    answer.refuse(503, "come back later", {"Retry-After": str(seconds)})


def flaky(answer: Answer, status: int, times: int, n: int) -> None:
    if answer.attempt <= times:
        answer.refuse(status, f"attempt {answer.attempt} of {times}", {"Retry-After": "0"})
    else:
        storm(answer, n)


def cut(answer: Answer, n: int) -> None:
    answer.deltas(numbered(n))
    answer.break_off()


def cutonce(answer: Answer, n: int) -> None:
    cut(answer, n) if answer.attempt == 1 else storm(answer, n)


def badjson(answer: Answer, n: int) -> None:
    answer.deltas(numbered(n))
    answer.frames('data: {"choices":[{"delta":\n\n')
    answer.finish()


def hang(answer: Answer, n: int) -> None:
    answer.deltas(numbered(n))
    silent(answer)


def held(answer: Answer, n: int) -> None:
    answer.deltas(numbered(n))
    answer.wait_for_release()
    answer.finish()


def silent(answer: Answer) -> None:
    while True:
        answer.wait()


def title(answer: Answer) -> None:
    answer.deltas([TITLE])
    answer.finish()


def echo(answer: Answer) -> None:
    answer.deltas(words(answer.prompt))
    answer.finish()


SCRIPTS: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"storm (\d+) (\d+)", storm),
    (r"rate (\d+) (\d+)(?: (\d+))?", rate),
    (r"reason (\d+) text (\d+)", reason),
    (r"length (\d+)", length),
    (r"error (\d+) (.*)", error),
    (r"later (\d+)", later),
    (r"flaky (\d+) (\d+) then (\d+)", flaky),
    (r"cut (\d+)", cut),
    (r"cutonce (\d+)", cutonce),
    (r"badjson (\d+)", badjson),
    (r"hang (\d+)", hang),
    (r"held (\d+)", held),
    (r"silent", silent),
    (r"tool (\S+) (.+) then (\d+)", tools.tool),
    (r"write (\S+) (.+)", tools.write),
    (r"edit (\S+) (\S+) (\S+)", tools.edit),
    (r"delegate (.+)", tools.delegate),
    (r"question", tools.question),
    (r"todo", tools.todo),
    (r"parts (\d+) (\d+) (\d+)", turns.parts),
    (r"work (\S+) (.+) then (\d+)", turns.work),
)


def play(answer: Answer) -> None:
    """Run the script that the prompt names, but for a title give always the same.

    A prompt that has no answer stands before it in the same message, as a paragraph.
    """
    said_last = answer.prompt.split("\n\n")[-1].strip()
    if answer.is_title:
        title(answer)
        return
    for pattern, script in SCRIPTS:
        if match := re.fullmatch(pattern, said_last, re.DOTALL):
            given = [group for group in match.groups() if group is not None]
            script(answer, *(int(group) if group.isdecimal() else group for group in given))
            return
    echo(answer)
