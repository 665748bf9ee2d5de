"""acpx, another editor without a screen, unmodified."""

import json
import shlex
import sys

import pytest

from tests.acp.conftest import BEHIND, NATIVE
from tests.acp.plan import run
from tests.acp.transcript import Frame, Transcript

pytestmark = pytest.mark.timeout(900)

SAID = "the water holds its level 🌊"


def exec_(acpx, one, form, prompt, home):
    """Run a prompt; return what acpx prints in a form."""
    # As an editor launches it; the module alone is launched by all other tests.
    command = [sys.executable, "-m", "deploy.cli", "acp", *one.command[3:]]
    words = [str(acpx), "--agent", shlex.join(command), "--cwd", str(one.directory)]
    words += ["--format", form, "--approve-all", "exec", prompt]
    # It keeps what it knows of agents at home.
    status, out, err = run(words, env={**one.env, "HOME": str(home)})
    assert status == 0, err
    return out


@pytest.mark.parametrize("where", [BEHIND, NATIVE])
def test_acpx_gets_the_text_and_the_end(acpx, agent, where, tmp_path):
    out = exec_(acpx, agent(where), "json", SAID, tmp_path)
    messages = [json.loads(line) for line in out.splitlines()]
    told = Transcript([Frame(False, 0, message) for message in messages], {})
    chunks = told.updates("agent_message_chunk")
    assert "".join(chunk["content"]["text"] for chunk in chunks) == SAID
    assert any(message.get("result", {}).get("stopReason") == "end_turn" for message in messages)


def test_acpx_shows_the_output_of_a_command_once(acpx, agent, tmp_path):
    out = exec_(acpx, agent(BEHIND), "text", "tool bash echo a$((41+1))b then 1", tmp_path)
    assert out.count("a42b") == 1, out
    out = exec_(acpx, agent(BEHIND), "text", "tool bash cat missing-file; exit 3 then 1", tmp_path)
    assert out.count("missing-file: No such file") == 1, out
