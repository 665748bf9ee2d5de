import os
import signal

import gevent
import pytest

from processor.tools import clip
from processor.tools.tool import CallRefused, ToolFailed, TurnAborted
from tests.processes import DEADLINE_S, at_best, wait_until
from tests.unit.processor.tools.conftest import weirs_tools


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def rss_kib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def test_a_command_gives_what_it_prints_in_opencodes_shape(run, project):
    (project / "a.txt").write_text("")
    outcome = run("bash", command="ls; echo wrong >&2", description="Lists files")
    assert outcome.output == "a.txt\nwrong\n"
    assert outcome.title == "ls; echo wrong >&2"
    said = {"output": "a.txt\nwrong\n", "exit": 0, "truncated": False}
    assert outcome.metadata == {**said, "description": "Lists files"}


def test_the_exit_status_and_the_signal_of_a_command_are_told_to_the_model(run):
    failed, killed = run("bash", command="exit 3"), run("bash", command="kill -9 $$")
    assert failed.metadata["exit"] == 3
    assert "exit status 3" in failed.output
    assert killed.metadata["exit"] is None
    assert "signal 9" in killed.output


def test_a_command_has_no_input_no_secret_and_the_folder_that_it_asks_for(run, project):
    (project / "sub").mkdir()
    outcome = run("bash", command="cat; env | grep -c WEIR_MODEL; pwd; echo $PWD", workdir="sub")
    sub = os.path.realpath(project / "sub")
    assert outcome.output.splitlines()[:3] == ["0", sub, sub]


def test_long_output_keeps_its_two_ends_and_is_whole_in_the_spool(run, call, spool):
    outcome = run("bash", command="seq 20000")
    assert outcome.output.startswith("1\n2\n")
    assert outcome.output.endswith("19999\n20000\n")
    assert "are left out here" in outcome.output
    assert len(outcome.output) < clip.MOST_BYTES + 1000
    assert outcome.metadata["truncated"]
    with open(spool.open(call.session, outcome.metadata["outputID"])) as file:
        assert file.read() == "".join(f"{n}\n" for n in range(1, 20001))
    assert outcome.metadata["outputPath"] in outcome.output
    assert run("read", filePath=outcome.metadata["outputPath"], limit=1).metadata["truncated"]
    assert "external_directory" not in [permission for permission, _ in call.asked()]


def test_200_mb_of_output_cost_the_processor_nothing(run, call):
    run("bash", command="seq 20000")
    outcomes = []

    def grown_kib():
        before = rss_kib()
        outcomes.append(run("bash", command="yes 0123456789abcdef | head -c 200000000"))
        return rss_kib() - before

    assert at_best(grown_kib, 4 * 1024, 3) < 4 * 1024
    outcome = outcomes[-1]
    assert os.path.getsize(outcome.metadata["outputPath"]) == 200_000_000
    assert max(map(len, call.shown)) <= clip.SHOWN_CHARACTERS


def test_output_past_its_room_in_the_spool_is_left_out_and_the_model_is_told(run, spool):
    spool._quota = 200_000
    outcome = run("bash", command="yes | head -c 300000")
    assert outcome.output.endswith("y\n")
    assert os.path.getsize(outcome.metadata["outputPath"]) == 100_000
    assert "The first 100000 bytes are saved to" in outcome.output


def test_a_timeout_ends_the_command(run):
    # On a busy machine the command may not have begun within the shorter ones.
    for timeout in (300, 3_000, 30_000):
        outcome = run("bash", command="echo before; sleep 600", timeout=timeout)
        assert f"timeout of {timeout} ms" in outcome.output
        if outcome.output.startswith("before\n"):
            break
    assert outcome.output.startswith("before\n")


DAEMON = """
import os, signal, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("pid.new", "w") as file: file.write(str(os.getpid()))
os.rename("pid.new", "pid")
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["event", "kill"])
def test_an_abort_ends_a_child_that_daemonises_and_ignores_sigterm(run, call, project, how):
    (project / "daemon.py").write_text(DAEMON)
    working = gevent.spawn(caught, run, command="python3 daemon.py; sleep 600")
    pid = int(appears(project / "pid"))
    assert is_alive(pid)
    if how == "event":
        call.aborted.set()
        assert isinstance(working.get(timeout=DEADLINE_S), TurnAborted)
    else:
        working.kill()
    assert not is_alive(pid)


def test_what_a_command_leaves_in_the_background_is_ended(run, project):
    outcome = run("bash", command="sleep 600 & echo $! > pid")
    assert not is_alive(int((project / "pid").read_text()))
    assert "1 processes that the command had left running were ended" in outcome.output


def test_a_command_that_kills_its_runner_is_ended_and_the_model_is_told(run, project):
    command = "(setsid sleep 600 & echo $! > pid); kill -9 $PPID; sleep 600"
    with pytest.raises(ToolFailed, match="was killed"):
        run("bash", command=command)
    pid = int((project / "pid").read_text())
    wait_until(lambda: not is_alive(pid))


def test_commands_past_the_bound_wait(call, project, spool):
    bash = weirs_tools({"PATH": os.environ["PATH"]}, spool, most=1)["bash"]
    first = gevent.spawn(
        bash.run, {"command": "touch begun; until [ -e go ]; do sleep 0.05; done"}, call
    )
    appears(project / "begun")
    second = gevent.spawn(bash.run, {"command": "touch second; touch go"}, call)
    gevent.sleep(0)
    wait_until(lambda: len(call.asked()) == 2 or gevent.sleep(0.01))
    assert not (project / "second").exists()
    (project / "go").touch()
    gevent.joinall([first, second], timeout=DEADLINE_S, raise_error=True)
    assert (project / "second").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"command": "  "}, "command: is empty"),
        ({"command": "echo \0"}, "NUL"),
        ({"command": "x" * 200_000}, "at most 100000"),
        ({"command": "ls", "timeout": 0}, "timeout: 0 is not allowed"),
        ({"command": "ls", "workdir": "nowhere"}, "nowhere is not a folder"),
        ({"cmd": "ls"}, "cmd"),
    ],
)
def test_bad_arguments_are_named(run, arguments, words):
    with pytest.raises(ToolFailed) as failed:
        run("bash", **arguments)
    assert words in str(failed.value)


def test_each_command_of_a_line_is_asked_for(run, call):
    run("bash", command="echo $(echo a) && true | cat")
    ((permission, patterns),) = call.asked()
    assert permission == "bash"
    assert patterns == ["echo a", "echo $(echo a)", "true", "cat"]
    assert call.needs[0].always == ["echo *", "true *", "cat *"]


def test_a_command_that_is_denied_does_not_run(run, call, project):
    call.denied.add("bash")
    with pytest.raises(CallRefused):
        run("bash", command="touch made")
    assert not (project / "made").exists()


@pytest.mark.parametrize(
    "command",
    ["cat {0}/secret", "cp a {0}/b", "echo a >{0}/b", "cat ../outside/secret", "cat link/secret"],
)
def test_a_file_outside_needs_permission(run, call, project, tmp_path, command):
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "link").symlink_to(outside)
    call.denied.add("external_directory")
    with pytest.raises(CallRefused):
        run("bash", command=command.format(outside))
    assert call.asked() == [("external_directory", [f"{os.path.realpath(outside)}/*"])]


def test_a_folder_outside_needs_permission(run, call, tmp_path):
    run("bash", command="pwd", workdir=str(tmp_path))
    assert call.asked()[0] == ("external_directory", [f"{os.path.realpath(tmp_path)}/*"])


def test_a_killed_processor_leaves_no_process(tmp_path, project):
    (project / "daemon.py").write_text(DAEMON)
    begun = gevent.subprocess.Popen(
        [
            os.sys.executable,
            "-m",
            "tests.unit.processor.tools.one_command",
            str(project),
            "python3 daemon.py; sleep 600",
        ]
    )
    pid = int(appears(project / "pid"))
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    wait_until(lambda: not is_alive(pid))


def caught(run, **arguments):
    try:
        return run("bash", **arguments)
    except Exception as error:
        return error


def appears(path):
    wait_until(lambda: path.exists() or gevent.sleep(0.02))
    return path.read_text()


def test_a_long_command_has_a_short_title(run):
    assert run("bash", command="true").title == "true"
    title = run("bash", command="true " + "x" * 1000).title
    assert len(title) == 200
    assert title.endswith("x…")
