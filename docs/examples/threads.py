"""Run two tools at once: python threads.py http://127.0.0.1:4097."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import weir


def run(turn: weir.Turn, *command: str) -> None:
    """Run a command as a tool call of the turn, and show what it puts out."""
    with turn.tool("bash", command=" ".join(command)) as call:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            call.output(line)


def answer(turn: weir.Turn) -> str:
    """Answer a prompt; the text that is returned ends the answer."""
    turn.todo([("look", "doing"), ("tell", "todo")])
    with ThreadPoolExecutor() as threads:
        for command in (("echo", "one"), ("echo", "two")):
            threads.submit(run, turn, *command)
    turn.todo([("look", "done"), ("tell", "done")])
    return f"Both have run: {turn.prompt}"


weir.serve(answer, sys.argv[1])
