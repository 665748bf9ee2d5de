"""`weir up --agent`: a function of one's own answers all prompts, whoever sends them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.acp_editor import agent
from tests.blackbox.conftest import SDK
from tests.blackbox.native import messages_of
from tests.blackbox.weir_up import Up, lives, prompt, said, weir_up
from tests.processes import DEADLINE_S, environment, running, wait_until

AGENT = """
import os

def answer(turn):
    if turn.prompt == "die":
        turn.text("last words")
        turn.flush()
        os._exit(3)
    turn.reasoning("hm")
    with turn.tool("bash", command="rm x") as call:
        call.output("gone" if turn.ask("bash", "rm x", call=call) == "once" else "kept")
    return f"You said: {turn.prompt}"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("agent")
    (folder / "mine.py").write_text(AGENT)
    flags = ["--workers", "1", "--agent", f"{folder / 'mine.py'}:answer"]
    with weir_up(folder, *flags) as shared:
        yield shared


def test_an_editor_the_terminal_and_rest_agree(up, tmp_path):
    command = ["-m", "deploy.cli", "tail", "--url", up.url, "--directory", str(tmp_path)]
    with running(*command, log=tmp_path / "tail.log") as tail, agent(up.url) as editor:
        # Only a session that is created later shows that the tail is connected.
        wait_until(lambda: up.session(str(tmp_path), title="new") and "# new" in tail.output)
        editor.answer_ask = lambda ask: {"outcome": {"outcome": "selected", "optionId": "once"}}
        session = editor.start(str(tmp_path))
        answer = editor.answer(editor.prompt(session, "hi"), DEADLINE_S)
        assert answer["result"] == {"stopReason": "end_turn"}
        [_, stored] = messages_of(up, session)
        assert said(stored) == editor.said(session) == "You said: hi"
        assert [part["state"]["output"] for part in stored["parts"] if part["type"] == "tool"] == [
            "gone"
        ]
        assert len(editor.asks) == 1
        tail.says("You said: hi")


def test_the_sdk_shows_what_is_stored(up, node, tmp_path):
    command = [node, str(SDK / "prompt.mjs"), up.url, "hi", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        where = f"/permission?directory={tmp_path}"
        [ask] = wait_until(lambda: up.call("GET", where).body, what="the ask")
        assert up.call("POST", f"/permission/{ask['id']}/reply", {"reply": "reject"}).body is True
        out, _ = client.communicate(timeout=DEADLINE_S)
    shown = json.loads(out)
    assert (shown["equal"], shown["rest"][-14:]) == (True, "You said: hi")


def test_an_agent_that_dies_is_started_again_and_its_prompts_wait(up, tmp_path):
    session = up.session(str(tmp_path))
    answer = up.prompt(session, "die")
    assert said(answer) == "last words"
    assert answer["info"]["error"]["name"] == "UnknownError"
    dead = [pid for pid in up.pids("agent") if lives(pid)]
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    # A process may receive the prompt at the moment of its death; then the next one answers.
    up.call("POST", f"/session/{session}/prompt_async", prompt("still there?"))
    where = f"/permission?directory={tmp_path}"
    [ask] = wait_until(lambda: up.call("GET", where).body, what="the ask")
    up.call("POST", f"/permission/{ask['id']}/reply", {"reply": "once"})
    wait_until(lambda: said(messages_of(up, session)[-1]) == "You said: still there?")


def test_an_agent_that_waits_for_a_person_goes_on_when_the_processor_is_killed(up, tmp_path):
    session = up.session(str(tmp_path))
    up.call("POST", f"/session/{session}/prompt_async", prompt("hi"))
    where = f"/permission?directory={tmp_path}"
    asked = wait_until(lambda: up.call("GET", where).body, what="the ask")
    [processor] = up.pids("processor")
    os.kill(processor, signal.SIGKILL)
    wait_until(lambda: up.pids("processor") not in ([], [processor]))
    assert wait_until(lambda: up.patiently("GET", where).body) == asked
    up.call("POST", f"/permission/{asked[0]['id']}/reply", {"reply": "once"})
    wait_until(lambda: said(messages_of(up, session)[-1]) == "You said: hi")
    [call] = [part for part in messages_of(up, session)[-1]["parts"] if part["type"] == "tool"]
    assert call["state"]["output"] == "gone"


@pytest.mark.parametrize(
    ("named", "words"),
    [("nope:answer", "no module 'nope'"), ("json:nope", "no function 'nope'")],
)
def test_an_agent_that_is_not_there_is_refused_in_one_line(named, words):
    command = [sys.executable, "-m", "deploy.agent", "--url", "http://x", "--agent", named]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, cwd="/")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
