"""`weir up` and `weir tail` as a user meets them: started, used, hurt, and stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.blackbox.conftest import SDK
from tests.blackbox.weir_up import NO_TWINS, ended, lives, prompt, said, weir_up
from tests.processes import DEADLINE_S, ROOT, at_best, running, wait_until
from tests.reference import fold
from tests.sse_client import SseClient

STOPS_WITHIN_S = 5.0
ODD_DIRECTORY = "/srv/дём o+ü%20"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A deployment that the tests share; those that hurt it wait until it is well again."""
    with weir_up(tmp_path_factory.mktemp("up"), "--workers", "2") as shared:
        yield shared


@pytest.fixture
def folder(tmp_path):
    """A folder for the deployment of a test's own."""
    return tmp_path


def weir(*words, **env):
    """Run `weir` to its end."""
    environ = {**os.environ, **NO_TWINS, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", "deploy.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=DEADLINE_S)


def tail(up, log, *flags):
    return running("-m", "deploy.cli", "tail", "--url", up.url, *flags, log=log, env=NO_TWINS)


def of_session(session, kind):
    def found(event):
        payload = event["payload"]
        return payload["type"] == kind and payload["properties"].get("sessionID") == session

    return found


def of_message(message, moment):
    def found(event):
        info = event["payload"]["properties"].get("info", {})
        return info.get("id") == message["info"]["id"] and moment in info.get("time", {})

    return found


def test_everything_answers_once_it_says_that_it_is_ready(up):
    assert [line for line in up.output.splitlines() if "ready: " in line] == [
        f"weir is ready: {up.url}"
    ]
    assert up.call("GET", "/global/health").body["healthy"] is True
    assert up.call("GET", "/session").body == []
    up.workers(2)


def test_the_demo_answers_a_prompt(up):
    answer = up.prompt(up.session(), "storm 3 12")
    assert said(answer) == "0000000|xxx 0000001|xxx 0000002|xxx "
    assert answer["info"]["role"] == "assistant"
    assert answer["info"]["finish"] == "stop"


def test_tail_shows_a_prompt_and_its_answer(up, tmp_path):
    with tail(up, tmp_path / "tail.log") as process:
        # Nothing shows that it is connected but what it shows.
        wait_until(lambda: up.session(title="a new session") and "# a new" in process.output)
        session = up.session(ODD_DIRECTORY, title="the last one")
        answer = up.prompt(session, "storm 20 40")
        title = f" {session[-4:]} # the last one\n"
        # Before it comes what other tests have said in the last minute.
        wait_until(lambda: "(idle)" in process.output.partition(title)[2])
    shown = process.output.partition(title)[2]
    assert "> storm 20 40\n" in shown
    assert shown.count(said(answer)) == 1
    assert "Traceback" not in process.output


def test_tail_prints_json_for_machines(up, tmp_path):
    session = up.session()
    with tail(up, tmp_path / "tail.log", "--json", "--session", session) as process:
        process.says("server.connected")
        answer = up.prompt(session, "storm 5 40")
        up.prompt(up.session(), "storm 5 40")
        process.says('"session.idle"')
    payloads = [json.loads(line)["payload"] for line in process.output.splitlines()]
    assert {p["properties"].get("sessionID", session) for p in payloads} == {session}
    assert fold(payloads).messages_of(session)[-1] == answer


def test_tail_of_one_folder_shows_no_other(up, tmp_path):
    flags = ["--directory", ODD_DIRECTORY, "--json"]
    with tail(up, tmp_path / "tail.log", *flags) as process:
        process.says("server.connected")
        other = up.session("/srv/elsewhere")
        mine = up.session(ODD_DIRECTORY)
        process.says(mine)
    assert other not in process.output


def test_tail_ends_quietly_when_its_reader_has_gone(up):
    command = [sys.executable, "-m", "deploy.cli", "tail", "--url", up.url, "--json"]
    environ = {**os.environ, **NO_TWINS, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True) as process:
        assert "server.connected" in process.stdout.readline()
        process.stdout.close()
        wait_until(lambda: up.session() and process.poll() is not None, what="the end of tail")
        assert process.returncode == 0
        assert process.stderr.read() == ""


def test_tail_says_why_a_stream_is_refused(up):
    refused = weir("tail", "--url", f"{up.url}/elsewhere", "--directory", "relative")
    assert refused.returncode == 1
    assert refused.stderr.startswith("weir tail: 127.0.0.1")
    assert quote(f"{os.getcwd()}/relative", safe="") in refused.stderr
    assert "404" in refused.stderr
    assert "there is no route" in refused.stderr


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", [[], ["--v1"]], ids=["v2", "v1"])
@pytest.mark.parametrize("directory", ["/srv/demo", ODD_DIRECTORY])
def test_the_unmodified_sdk_sees_the_text_that_is_stored(up, node, version, directory):
    command = [node, str(SDK / "prompt.mjs"), *version, up.url, "storm 500 40", directory]
    script = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_S)
    assert script.returncode == 0, script.stderr
    told = json.loads(script.stdout)
    assert told["equal"] is True
    assert told["rest"] == "".join(f"{n:07d}|{'x' * 31} " for n in range(500))
    session = up.call("GET", f"/session/{told['session']}").body
    assert session["directory"] == directory


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stop_ends_all_within_five_seconds(folder, number):
    assert at_best(lambda: stopped_s(folder, number), STOPS_WITHIN_S) < STOPS_WITHIN_S


def stopped_s(folder, number):
    """Return how long it takes to stop a deployment with a turn and a reader."""
    with weir_up(folder, "--workers", "2") as up:
        session = up.session()
        stream = SseClient(f"{up.url}/global/event")
        up.call("POST", f"/session/{session}/prompt_async", prompt("rate 100 100000"))
        stream.until(of_session(session, "message.part.delta"))
        everybody = [*up.workers(2), *up.everybody()]
        took_s = ends_after_s(up.running, number)
        ended(everybody)
        stream.close()
    assert "Traceback" not in up.output
    return took_s


def ends_after_s(one, number):
    """Send a signal that ends a process as it should; return how long that takes."""
    began = time.monotonic()
    one.process.send_signal(number)
    assert one.ends() == 0
    return time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_before_it_is_ready_ends_it_just_so(folder, number):
    assert at_best(lambda: stopped_early_s(folder, number), STOPS_WITHIN_S) < STOPS_WITHIN_S


def stopped_early_s(folder, number):
    """Return how long it takes to stop a deployment that has only begun to start."""
    command = ["-m", "deploy.cli", "up", "--port", "0", "--state", str(folder / "state")]
    with running(*command, log=folder / "up.log", env=NO_TWINS) as process:
        process.says("gateway started")
        took_s = ends_after_s(process, number)
    pids = [int(pid) for pid in re.findall(r"started, pid (\d+)", process.output)]
    assert len(pids) == 2
    ended(pids)
    assert "Traceback" not in process.output
    return took_s


def test_a_stop_ends_even_what_hangs_within_five_seconds(folder):
    assert at_best(lambda: stopped_while_hanging_s(folder), STOPS_WITHIN_S) < STOPS_WITHIN_S


def stopped_while_hanging_s(folder):
    """Return how long it takes to stop a deployment of which nothing listens to that."""
    # All of its patience is used up: by default that is more than four seconds.
    with weir_up(folder, "--workers", "1", "--drain", "1") as up:
        everybody = [*up.workers(1), *up.pids("gateway"), *up.pids("processor")]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        took_s = ends_after_s(up.running, signal.SIGTERM)
        ended(everybody)
    return took_s


def test_a_port_that_is_taken_is_refused_in_one_line(up, folder):
    port = up.url.rpartition(":")[2]
    refused = weir("up", "--port", port, "--state", str(folder))
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"weir up: --port: {port} ")
    assert "choose another" in line


def test_a_state_folder_that_is_taken_is_refused_in_one_line(up):
    [state] = {word for word in up.running.process.args if word.endswith("/state")}
    refused = weir("up", "--port", "0", "--state", state)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"weir up: --state: {state!r} is in use")
    assert up.answers()


def test_a_state_folder_with_a_long_path_holds_its_sockets_too(folder, tmp_path_factory):
    deep = folder / ("x" * 100)
    deep.mkdir()
    sockets = tmp_path_factory.mktemp("tmp")
    command = ["-m", "deploy.cli", "up", "--port", "0", "--state", str(deep / "state")]
    env = {**NO_TWINS, "TMPDIR": str(sockets)}
    with running(*command, log=folder / "up.log", env=env) as process:
        process.says("weir is ready")
        assert (deep / "state" / "bus" / "events").is_socket()
        assert list(sockets.iterdir()) == []


def test_a_killed_processor_is_restarted_behind_open_streams(up):
    session = up.session()
    before = up.prompt(session, "storm 3 40")
    [pid] = up.pids("processor")
    with SseClient(f"{up.url}/global/event?session={session}") as stream:
        stream.next()
        os.kill(pid, signal.SIGKILL)
        up.running.says(f"processor (pid {pid}) ended by signal 9; next start in")
        messages = up.patiently("GET", f"/session/{session}/message").body
        assert messages[-1] == before
        answer = up.prompt(session, "storm 500 40")
        # The end of the turn before may be told again, by the processor that is new.
        got = stream.until(of_message(answer, "completed"))
        got += stream.until(of_session(session, "session.idle"))
    assert fold(event["payload"] for event in got).messages_of(session)[-1] == answer
    assert up.pids("processor") != [pid]


def test_what_a_killed_processor_was_asked_is_answered_as_soon_as_it_is_back(up):
    session = up.session()
    with ThreadPoolExecutor() as pool:
        held = pool.submit(
            up.call,
            *("POST", f"/session/{session}/message", prompt("rate 100 100000")),
            timeout_s=2 * DEADLINE_S,
        )
        with SseClient(f"{up.url}/global/event?session={session}") as stream:
            stream.until(of_session(session, "message.part.delta"))
            [pid] = up.pids("processor")
            os.kill(pid, signal.SIGKILL)
        up.patiently("GET", f"/session/{session}")
        assert held.result(timeout=DEADLINE_S).status == 503


def test_a_turn_that_was_cut_by_a_kill_is_healed_in_front_of_its_readers(up):
    session = up.session()
    with SseClient(f"{up.url}/global/event?session={session}") as stream:
        stream.next()
        up.call("POST", f"/session/{session}/prompt_async", prompt("rate 500 100000"))
        got = stream.until(of_session(session, "message.part.delta"))
        [pid] = up.pids("processor")
        os.kill(pid, signal.SIGKILL)
        got += stream.until(of_session(session, "session.idle"))
        messages = up.patiently("GET", f"/session/{session}/message").body
    assert messages[-1]["info"]["error"]["name"] == "MessageAbortedError"
    assert fold(event["payload"] for event in got).messages_of(session) == messages


def test_a_killed_worker_is_replaced(up):
    before = up.workers(2)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(up.pids("worker")) - set(before)) == 1, what="a new worker")
    # Both workers take connections: each of these may be answered by the new one.
    wait_until(lambda: all(up.answers() for _ in range(10)), what="answers of both workers")
    assert lives(before[1])
    assert "gateway (pid" not in up.output.partition("Booting worker with pid: ")[2]


def test_a_killed_gateway_is_restarted(up, tmp_path):
    session = up.session()
    [pid], workers = up.pids("gateway"), up.workers(2)
    with tail(up, tmp_path / "tail.log", "--json") as process:
        process.says("server.connected")
        os.kill(pid, signal.SIGKILL)
        up.running.says(f"gateway (pid {pid}) ended by signal 9; next start in")
        ended(workers)
        wait_until(up.answers, what="a new gateway")
        wait_until(lambda: process.output.count("server.connected") >= 2, what="a new stream")
        answer = up.prompt(session, "storm 5 40")
        wait_until(lambda: said(answer)[-30:] in process.output, what="the answer")
    up.workers(2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_all_end_with_a_killed_supervisor_and_the_next_one_takes_over(folder):
    with weir_up(folder, "--workers", "2") as up:
        everybody, session = [*up.workers(2), *up.everybody()], up.session()
        up.running.process.kill()
        ended(everybody)
    with weir_up(folder, "--workers", "1", log="next.log") as up:
        assert up.call("GET", f"/session/{session}").status == 200
        assert said(up.prompt(session, "storm 1 9")) == "0000000| "


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands(words):
    helped = weir(*words)
    assert helped.returncode == 0
    for command in ("weir up", "weir tail", "weir processor", "weir gateway"):
        assert command in helped.stdout
    assert helped.stderr == ""


@pytest.mark.parametrize("command", ["up", "tail", "processor", "gateway"])
def test_each_command_lists_its_flags(command):
    helped = weir(command, "--help")
    assert helped.returncode == 0
    assert helped.stdout.startswith(f"weir {command}\n")
    assert "(WEIR_" in helped.stdout
    assert helped.stderr == ""


@pytest.mark.parametrize(
    ("command", "words", "refusal"),
    [
        ("processor", [], "--bus: missing; allowed is "),
        ("processor", ["--bus", "ipc:///nowhere"], "--state: missing; allowed is a folder"),
        ("gateway", ["--bus", "x"], "--bus: 'x' is not allowed; allowed is "),
        (
            "gateway",
            ["--bus", "ipc:///x", "--listen-fd", "99"],
            "--listen-fd: '99' is not allowed",
        ),
    ],
)
def test_each_part_refuses_by_its_name_in_one_line(command, words, refusal):
    refused = weir(command, *words)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"weir {command}: {refusal}")


def test_without_a_command_the_usage_is_an_error():
    asked = weir()
    assert asked.returncode == 2
    assert asked.stdout == ""
    assert "weir up" in asked.stderr


def test_version_is_one_line():
    assert weir("--version").stdout.startswith("weir 0.")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["bogus"], ["weir: 'bogus'", "allowed are up, acp, tail"]),
        (["--port", "1"], ["weir: '--port'", "allowed are up, acp, tail"]),
        (["up", "--port", "x"], ["weir up: --port: 'x'", "0 to 65535"]),
        (["up", "--hang-limit", "1"], ["weir up: --hang-limit: '1'", "2 to 3600 (seconds)"]),
        (["up", "--memory-limit", "8M"], ["weir up: --memory-limit: '8M'", "32M"]),
        (["up", "--colour", "red"], ["weir up: --colour: unknown", "--port"]),
        (["up", "--model-url", "http://x/v1"], ["--model: missing", "--model-url needs it"]),
        (["up", "--model", "m1"], ["--model-url: missing", "--model needs it"]),
        (["tail", "--url", "nowhere"], ["weir tail: --url: not the URL", "HOST[:PORT]"]),
        (["gateway", "--bus=ipc:///x", "--workers", "0"], ["--workers: '0'", "1 to 64"]),
        (["processor", "--bus", "ipc:///x"], ["--state: missing"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, named):
    refused = weir(*words)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert [one for one in named if one not in line] == []
    assert refused.stdout == ""
