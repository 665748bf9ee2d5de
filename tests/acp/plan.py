"""What a client is to do with an agent, and how it is made to do it.

A plan is played by one process of a client with one process of the agent, and gives a
`Transcript`. Its steps, in the words that `client.mjs` and `client.py` read:

    {"do": "new"}                              a session, which later steps are about
    {"do": "prompt", "text"[, "cancel_after"]} a turn; cancelled after so many characters of text
    {"do": "load" | "resume", "session"}       a session of before
    {"do": "list"}, {"do": "close"}
    {"do": "option", "option", "value"}        a config option set
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acp.agents import Agent
from tests.acp.transcript import Transcript
from tests.processes import ROOT

FOLDER = Path(__file__).parent
PYTHON, TYPESCRIPT = "python", "typescript"
COMMANDS = {
    PYTHON: (sys.executable, "-m", "tests.acp.client"),
    TYPESCRIPT: ("node", str(FOLDER / "client.mjs")),
}
DEADLINE_S = 240.0

Step = dict[str, Any]
Capabilities = dict[str, Any]

NO_CAPABILITIES: Capabilities = {
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": False,
}
FORMS = NO_CAPABILITIES | {"elicitation": {"form": {}}}

NEW: Step = {"do": "new"}
LIST: Step = {"do": "list"}


def prompt(text: str, **more: Any) -> Step:
    """Return the step of a turn."""
    return {"do": "prompt", "text": text, **more}


def play(
    client: str,
    agent: Agent,
    steps: Sequence[Step],
    permission: str = "allow_once",
    capabilities: Capabilities = NO_CAPABILITIES,
) -> Transcript:
    """Have a client play `steps` with an agent.

    Args:
        client: one of `COMMANDS`.
        agent: who is started, and ended with the client.
        steps: what is done, in turn.
        permission: kind of the option that is chosen whenever the agent asks; ``wait`` cancels
            the turn instead.
        capabilities: of the client; of what it can offer, it has forms alone.

    Raises:
        AssertionError: the client gave up, or the plan did not end within `DEADLINE_S`.
    """
    plan = {
        "command": agent.command,
        "env": dict(agent.env),
        "directory": str(agent.directory),
        "capabilities": capabilities,
        "permission": permission,
        "steps": list(steps),
    }
    status, out, err = run(COMMANDS[client], json.dumps(plan))
    assert status == 0, f"{client} at {agent.name}, status {status}: {err}\nlast: {out[-2000:]}"
    return Transcript.parse(out)


def run(
    command: Sequence[str], given: str = "", deadline_s: float = DEADLINE_S, **how: Any
) -> Any:
    """Run a program to its end; return its status and what it wrote to stdout and stderr.

    The status of one that was ended here, with all it had started, is None.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        **{"cwd": ROOT, **how},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(given, deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            return None, out, f"not within {deadline_s} s; {err}"
    return process.returncode, out, err
