"""Tools of a model, in real processes: leave over HTTP, a kill in the middle, an abort."""

import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bus.bodies import CreateBody, PermissionBody
from bus.commands import Abort, Asks, PermissionReply, SessionCreate, SessionDelete
from tests.blackbox.native import messages_of, stream_of, until_marked
from tests.blackbox.processor_driver import Processor, processor
from tests.blackbox.weir_up import Up, prompt, said
from tests.processes import DEADLINE_S, wait_until
from tests.reference import fold


def commands(marker: str) -> list[int]:
    """Return the processes whose command line holds a marker."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if marker in words:
            found.append(int(file.parent.name))
    return found


def until_asked(up: Up, directory: Path) -> str:
    """Wait until a tool asks for leave in a folder; return the id of what it asks."""
    asked = wait_until(lambda: up.call("GET", f"/permission?directory={directory}").body)
    return str(asked[0]["id"])


def test_a_tool_runs_once_a_person_allows_it_and_readers_follow(up: Up, tmp_path: Path) -> None:
    session = up.session(str(tmp_path))
    with stream_of(up, str(tmp_path)) as stream:
        path = f"/session/{session}/prompt_async"
        assert up.call("POST", path, prompt("tool bash echo one two then 3")).status == 204
        asked = until_asked(up, tmp_path)
        assert up.call("POST", f"/permission/{asked}/reply", {"reply": "once"}).status == 200
        wait_until(lambda: not up.call("GET", f"/session/status?directory={tmp_path}").body)
        got = until_marked(up, stream, session)
    stored = messages_of(up, session)
    assert fold(got).messages_of(session) == stored
    _, step, last = stored
    [part] = [one for one in step["parts"] if one["type"] == "tool"]
    assert part["state"]["status"] == "completed"
    assert part["state"]["output"] == "one two\n"
    assert said(last).count("|") == 3
    assert [step["info"]["finish"], last["info"]["finish"]] == ["tool-calls", "stop"]


def test_the_whole_of_a_long_output_can_be_downloaded(up: Up, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("seq 1 300000\n")
    allowed = [{"permission": "bash", "pattern": "*", "action": "allow"}]
    session = up.session(str(tmp_path), permission=allowed)
    answer = up.prompt(session, "tool bash sh run.sh then 3")
    [part] = [
        part
        for message in messages_of(up, answer["info"]["sessionID"])
        for part in message["parts"]
        if part["type"] == "tool"
    ]
    metadata = part["state"]["metadata"]
    url = metadata["outputURL"]
    with urlopen(up.url + url, timeout=DEADLINE_S) as reply:
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert reply.headers["Content-Disposition"] == "attachment"
        assert reply.read() == b"".join(b"%d\n" % n for n in range(1, 300_001))
    gone = up.call("GET", url[:-1] + ("0" if url[-1] != "0" else "1"))
    assert gone.status == 404
    assert "does not exist any more" in gone.body["data"]["message"]
    assert up.call("GET", url.replace(session, "ses_x")).status == 404


def test_a_file_that_is_written_is_there(up: Up, tmp_path: Path) -> None:
    session = up.session(str(tmp_path))
    path = f"/session/{session}/prompt_async"
    assert up.call("POST", path, prompt("write made.txt by-a-model")).status == 204
    asked = until_asked(up, tmp_path)
    assert up.call("POST", f"/permission/{asked}/reply", {"reply": "always"}).status == 200
    wait_until(lambda: not up.call("GET", f"/session/status?directory={tmp_path}").body)
    assert (tmp_path / "made.txt").read_text() == "by-a-model"


def test_the_agents_are_listed_with_their_rules(up: Up) -> None:
    agents = {one["name"]: one for one in up.call("GET", "/agent").body}
    assert {name: one["mode"] for name, one in agents.items()} == {
        "build": "primary",
        "plan": "primary",
        "general": "subagent",
    }
    assert {"permission": "edit", "pattern": "*", "action": "deny"} in agents["plan"]["permission"]


def test_a_session_is_summed_up_on_demand(up: Up, tmp_path: Path) -> None:
    session = up.session(str(tmp_path))
    up.prompt(session, "before the summary")
    body = {"providerID": "openai-compatible", "modelID": "m1"}
    assert up.call("POST", f"/session/{session}/summarize", body).body is True
    summary = wait_until(
        lambda: [one for one in messages_of(up, session) if one["info"].get("summary") is True]
    )
    assert summary[0]["info"]["mode"] == "compaction"


def session_in(one: Processor, directory: Path, **fields: Any) -> str:
    """Make a session in a folder that exists, and return its id."""
    made = one.ask(SessionCreate(str(directory), CreateBody(title="fixed title", **fields)))
    return str(made["id"])


def test_long_output_is_in_the_spool_until_its_session_goes(tmp_path: Path) -> None:
    with processor(tmp_path) as one:
        session = session_in(one, tmp_path)
        turn = one.prompt(session, "tool bash seq 100000 then 1")
        allow(one)
        one.wait(session, turn)
        folder = one.state / "spool" / session
        [file] = folder.iterdir()
        assert file.read_text().splitlines() == [str(number) for number in range(1, 100_001)]
        [state] = states(one, session)
        assert str(file) in state["output"]
        assert len(state["output"]) < 60_000
        one.ask(SessionDelete(session))
        assert not folder.exists()


def allow(one: Processor) -> None:
    """Wait until a tool asks for leave, and give it."""
    asked = wait_until(lambda: one.ask(Asks("permission")))
    one.ask(PermissionReply(asked[0]["id"], PermissionBody(reply="once")))


def states(one: Processor, session: str) -> list[dict]:
    """Return the states of the tool calls that are stored."""
    parts = [part for message in one.messages(session) for part in message["parts"]]
    return [part["state"] for part in parts if part["type"] == "tool"]


def shown(one: Processor, session: str) -> str | None:
    """Return what the one call of a session has put out so far."""
    found = [state.get("metadata", {}).get("output") for state in states(one, session)]
    return found[0] if found else None


def test_a_kill_in_the_middle_leaves_an_error_and_no_process(tmp_path: Path) -> None:
    marker = f"{time.time_ns() % 10**9}.25"
    with processor(tmp_path) as one:
        runs, waits = session_in(one, tmp_path), session_in(one, tmp_path)
        one.prompt(runs, f"tool bash echo before; sleep 1{marker} then 1")
        allow(one)
        wait_until(lambda: shown(one, runs) == "before\n", what="the output")
        one.prompt(waits, "tool bash ls then 1")
        asked = wait_until(lambda: one.ask(Asks("permission")))
        wait_until(lambda: commands(marker), what="the command")
        one.kill()
        wait_until(lambda: not commands(marker), what="the end of the command")
        one.start()
        [state] = states(one, runs)
        assert state["status"] == "error"
        assert state["error"] == "the processor ended while the tool ran"
        assert state["metadata"]["output"] == "before\n"
        assert one.ask(Asks("permission")) == []
        told = [event.properties for event in one.replayed() if event.type == "permission.replied"]
        assert {(one["requestID"], one["reply"]) for one in told} == {(asked[0]["id"], "reject")}
        assert one.messages(runs)[-1]["info"]["error"]["name"] == "MessageAbortedError"


ALLOWED = [{"permission": "bash", "pattern": "*", "action": "allow"}]
DAEMON = "env -i setsid sleep 1{} & "  # without the variable that marks processes of a call


@pytest.mark.parametrize("end", ["KILL", "STOP"])
def test_a_daemon_ends_with_its_call_and_no_other_call_does(tmp_path: Path, end: str) -> None:
    marker = f"{time.time_ns() % 10**9}.75"
    until = "until [ -e {} ]; do sleep 0.1; done; "
    wait = f"touch began; {until.format('go')} echo after"
    suicide = f"{until.format('end')} kill -{end} $PPID; sleep 600"
    with processor(tmp_path) as one:
        other = session_in(one, tmp_path, permission=ALLOWED)
        mine = session_in(one, tmp_path, permission=ALLOWED)
        turn = one.prompt(other, f"tool bash {DAEMON.format(marker + '1')}{wait} then 1")
        wait_until((tmp_path / "began").exists)
        wait_until(lambda: commands(f"sleep\0001{marker}1"), what="the daemon of the other call")
        one.prompt(mine, f"tool bash {DAEMON.format(marker + '2')}{suicide} then 1")
        wait_until(lambda: commands(f"sleep\0001{marker}2"), what="the daemon")
        (tmp_path / "end").touch()
        if end == "STOP":
            one.ask(Abort(mine))
        wait_until(lambda: not commands(f"sleep\0001{marker}2"), what="the end of the daemon")
        assert commands(f"sleep\0001{marker}1")
        (tmp_path / "go").touch()
        one.wait(other, turn)
        [state] = states(one, other)
        assert state["output"].startswith("after\n")
        assert not commands(f"sleep\0001{marker}1")
        wait_until(lambda: states(one, mine)[0]["status"] == "error")


def test_an_abort_ends_the_command_at_once(tmp_path: Path) -> None:
    marker = f"{time.time_ns() % 10**9}.5"
    with processor(tmp_path) as one:
        session = session_in(one, tmp_path)
        one.prompt(session, f"tool bash trap '' TERM; echo before; sleep 1{marker} then 1")
        allow(one)
        wait_until(lambda: commands(marker), what="the command")
        one.ask(Abort(session))
        wait_until(lambda: not commands(marker), what="the end of the command")
        [state] = states(one, session)
        assert state["status"] == "error"
