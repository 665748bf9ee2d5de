"""acpx, another editor without a screen, unmodified."""

import json
import shlex
import sys

import pytest

from tests.acp.conftest import BEHIND, NATIVE
from tests.acp.plan import run
from tests.acp.transcript import Frame, Transcript

pytestmark = pytest.mark.timeout(300)

SAID = "the water holds its level 🌊"


@pytest.mark.parametrize("where", [BEHIND, NATIVE])
def test_acpx_gets_the_text_and_the_end(acpx, agent, where, tmp_path):
    one = agent(where)
    # As an editor launches it; the module alone is launched by all other tests.
    command = [sys.executable, "-m", "deploy.cli", "acp", *one.command[3:]]
    words = [str(acpx), "--agent", shlex.join(command), "--cwd", str(one.directory)]
    words += ["--format", "json", "--approve-all", "exec", SAID]
    # It keeps what it knows of agents at home.
    status, out, err = run(words, env={**one.env, "HOME": str(tmp_path)})
    assert status == 0, err
    messages = [json.loads(line) for line in out.splitlines()]
    told = Transcript([Frame(False, 0, message) for message in messages], {})
    chunks = told.updates("agent_message_chunk")
    assert "".join(chunk["content"]["text"] for chunk in chunks) == SAID
    assert any(message.get("result", {}).get("stopReason") == "end_turn" for message in messages)
