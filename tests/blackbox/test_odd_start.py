"""`weir up` where people start it: untrusted folders, containers, odd disks and terminals."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.blackbox.odd_start import NAMELESS, WEIR, children_of, command_of, environ, need, odd_up
from tests.blackbox.weir_up import said
from tests.processes import DEADLINE_S, ROOT, refused, wait_until
from tests.sse_client import SseClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and /proc")

# Of weir, of what weir depends on, of the standard library, and what Python loads by itself.
MODULES = (
    *("bus", "processor", "gateway", "acp_client", "deploy"),
    *("gevent", "zmq", "msgspec", "falcon", "gunicorn", "urllib3", "h11"),
    *("queue", "logging", "json", "ssl", "selectors", "sqlite3", "sitecustomize", "usercustomize"),
    "gunicorn.conf",
)
RELAY = "--upstream=http://127.0.0.1:1"
USER = ("--user", f"--map-user={NAMELESS}", f"--map-group={NAMELESS}")
PID_1 = (*USER, "--pid", "--fork", "--kill-child", "--mount-proc")
MOUNT = ("--user", "--map-root-user", "--mount")


@pytest.fixture
def trap(tmp_path):
    """A folder with modules of many names, each of which leaves a mark where it is imported."""
    folder = tmp_path / os.fsdecode(b"untrusted \xff")
    folder.mkdir()
    mark = str(tmp_path / "mark")
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({mark!r}, 'a').write('{name} ')")
    return folder


def marks(trap):
    mark = trap.parent / "mark"
    return mark.read_text() if mark.exists() else ""


def answers(up):
    """Tell what one prompt is answered with."""
    return said(up.prompt(up.patiently("POST", "/session", {}).body["id"], "storm 1 9"))


def test_a_start_folder_is_neither_run_nor_needed_whatever_its_name(trap, tmp_path):
    script = 'cd "$PLACE" && trap "" HUP && exec "$@"'
    flags = ["--state", str(tmp_path / "state")]
    with odd_up(tmp_path, script, *flags, PLACE=os.fspath(trap)) as up:
        up.ready()
        assert answers(up) == "0000000| "
        directory = up.call("GET", "/path").body["directory"]
        assert directory == str(trap).replace("\udcff", r"\xff")
        for route in ("/config", "/project/current", "/agent", "/provider"):
            assert up.call("GET", route).status == 200
        with SseClient(f"{up.url}/event") as stream:
            made = up.call("POST", "/session", {}).body
            stream.until(lambda event: event["properties"].get("sessionID") == made["id"])
        assert made["directory"] == directory
        assert marks(trap) == ""

        # It is deleted, as a git worktree is, and everything has to start once more.
        shutil.rmtree(trap)
        for service in ("processor", "gateway"):
            [pid] = up.pids(service)
            os.kill(pid, signal.SIGKILL)
            up.running.says(f"{service} (pid {pid}) ended by signal 9")
        up.ready()
        assert answers(up) == "0000000| "
        assert up.call("GET", "/path").body["directory"] == directory

        # As under nohup: what was ignored at the start still is.
        [ignored] = re.findall(r"SigIgn:\t(\w+)", Path(f"/proc/{up.pid}/status").read_text())
        assert int(ignored, 16) & 1 << signal.SIGHUP - 1
        os.kill(up.pid, signal.SIGHUP)
        assert answers(up) == "0000000| "
        assert up.stop() == 0
    assert "Traceback" not in up.output


@pytest.mark.parametrize("word", ["up", "processor", "gateway", "acp", "tail", "doctor"])
def test_no_command_runs_code_of_its_start_folder(trap, word):
    helped = subprocess.run(
        [WEIR, word, "--help"], cwd=trap, env=environ(), capture_output=True, timeout=DEADLINE_S
    )
    assert (helped.returncode, helped.stderr, marks(trap)) == (0, b"", "")


@pytest.mark.parametrize("module", ["processor", "gateway", "acp_client"])
def test_a_module_that_python_finds_elsewhere_takes_nothing_else_from_the_start_folder(
    trap, module
):
    # Python itself looks there for this module, before a line of weir runs.
    (trap / f"{module}.py").unlink()
    helped = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=trap,
        env=environ(),
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert (helped.returncode, helped.stderr, marks(trap)) == (0, b"", "")


@pytest.mark.parametrize("entries", [".", ":", "below"])
def test_a_relative_entry_of_the_import_path_leads_nowhere(trap, entries):
    below = trap / "below"
    below.mkdir()
    for name in ("deploy", "sitecustomize", "usercustomize"):
        (trap / f"{name}.py").unlink()  # Python itself loads these, before a line of weir runs
    for module in trap.glob("*.py"):
        shutil.copy(module, below)
    env = environ(PYTHONPATH=f"{entries}:{ROOT}")
    helped = subprocess.run(
        [WEIR, "gateway", "--help"], cwd=trap, env=env, capture_output=True, timeout=DEADLINE_S
    )
    assert (helped.returncode, helped.stderr, marks(trap)) == (0, b"", "")


def test_what_the_environment_says_to_others_is_not_for_weir(tmp_path):
    folder = tmp_path / "é"
    folder.mkdir()
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    servers = dict.fromkeys(("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SENDFILE", "PORT"), "x")
    gunicorn = {"GUNICORN_PID": "1", "GUNICORN_FD": "77"}
    env = {**ascii_only, **servers, **gunicorn, "FOLDER": str(folder)}
    with odd_up(tmp_path, 'cd "$FOLDER" && exec "$@"', "--state", f"{folder}/state", **env) as up:
        up.ready()
        assert up.call("GET", "/path").body["directory"] == str(folder)
        assert answers(up) == "0000000| "
        assert up.stop() == 0
    assert "Traceback" not in up.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_during_the_start_is_neither_lost_nor_a_traceback(tmp_path, number):
    def held():
        [blocked] = re.findall(r"SigBlk:\t(\w+)", Path(f"/proc/{pid}/status").read_text())
        return int(blocked, 16) & 1 << number - 1

    start = tmp_path / "is held"
    start.touch()
    env = {"PYTHONPATH": f"{ROOT}/tests/fakes/held:{ROOT}", "HELD_BY": str(start)}
    with odd_up(tmp_path, 'exec "$@"', "--state", str(tmp_path / "state"), **env) as up:
        pid = up.running.process.pid
        wait_until(held, what="the first line of weir")
        os.kill(pid, number)
        start.unlink()
        assert up.running.ends() == 0
    assert "Traceback" not in up.output


@pytest.mark.parametrize("module", ["processor", "gateway", "acp_client"])
def test_sources_that_are_not_installed_run_in_their_own_folder(module):
    # An editable installation is found by a finder of its own, as of here without it.
    run = (
        "import runpy, sys; sys.path[0] = sys.argv[1]; name = sys.argv[2]\n"
        "sys.meta_path = [one for one in sys.meta_path if 'editable' not in repr(one).lower()]\n"
        "sys.argv[1:] = ['--help']; runpy.run_module(name, run_name='__main__', alter_sys=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", run, str(ROOT), module],
        cwd=ROOT,
        env=environ(PYTHONPATH=None),
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_deleted_start_folder_is_no_obstacle(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$GONE" && rmdir "$GONE" && exec "$@"'
    with odd_up(tmp_path, script, "--state", str(tmp_path / "state"), GONE=str(gone)) as up:
        up.ready()
        assert up.call("GET", "/path").body["directory"] == str(gone)
        assert answers(up) == "0000000| "
    with odd_up(tmp_path, script, "--state", "relative", GONE=_again(gone)) as up:
        assert up.running.ends() == 2
        assert "--state: 'relative' is relative, and the folder that weir" in up.output
        assert "Traceback" not in up.output


def _again(gone):
    gone.mkdir()
    return str(gone)


@pytest.mark.parametrize("first", ["true", 'rm -r "$0"'], ids=["trap", "deleted"])
def test_an_agent_starts_in_a_folder_that_is_a_trap_or_deleted(trap, first):
    asked = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'
    ended = subprocess.run(
        ["bash", "-c", f'cd "$0" && {first} && exec {WEIR} acp', os.fspath(trap)],
        env=environ(),
        input=asked,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0
    assert b'"protocolVersion":1' in ended.stdout
    assert b"Traceback" not in ended.stderr
    assert marks(trap) == ""


def test_a_user_without_name_and_home_runs_it_as_pid_1_without_standard_output(tmp_path):
    need("unshare", *PID_1, "true")
    state = tmp_path / ("x" * 120) / "state"
    script = f'exec unshare {" ".join(PID_1)} "$@" > >(true)'
    with odd_up(tmp_path, script, "--state", str(state), HOME=None) as up:
        up.ready()
        up.running.says("(standard output cannot be written: Broken pipe)")
        assert answers(up) == "0000000| "
        assert up.call("GET", "/path").body["home"] == "/"
        assert (state / "bus" / "events").is_socket()
        assert set((modes := modes_in(state)).values()) == {0}, modes

        # The master dies without waiting for its workers, which become children of PID 1.
        [master] = [pid for pid in children_of(up.pid) if "-m gateway" in command_of(pid)]
        orphans = children_of(master)
        os.kill(master, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in [master, *orphans]))
        up.ready()
        assert answers(up) == "0000000| "
        assert up.stop() == 0
    assert "Traceback" not in up.output


def test_a_read_only_root_without_a_temporary_folder_needs_nothing_but_the_state(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    setup = 'mount -t tmpfs -o mode=700 none "$STATE" && mount --bind -o remount,ro / /'
    need("unshare", *MOUNT, "sh", "-c", f"STATE={state}; {setup}")
    # Each temporary folder that Python tries is read-only, or under a mount that is.
    hide = (
        "for d in /dev/shm /tmp /var/tmp; do mountpoint -q $d && mount -o remount,ro,bind $d; done"
    )
    script = f'exec unshare {" ".join(MOUNT)} bash -c \'{setup} && {hide}; exec "$@"\' bash "$@"'
    with odd_up(tmp_path, script, "--state", str(state), STATE=str(state), TMPDIR=None) as up:
        up.ready()
        assert answers(up) == "0000000| "
        assert up.stop() == 0
    assert "Traceback" not in up.output


def test_a_full_disk_is_said_and_outlived_from_the_start_to_the_end(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    setup = 'mount -t tmpfs -o size=2m,mode=700 none "$STATE"'
    need("unshare", *MOUNT, "sh", "-c", f"STATE={state}; {setup}")
    fill = 'dd if=/dev/zero of="$STATE/fill" bs=4k 2> /dev/null'
    script = f'exec unshare {" ".join(MOUNT)} bash -c \'{setup}; {fill}; exec "$@"\' bash "$@"'
    with odd_up(tmp_path, script, "--state", str(state), STATE=str(state)) as up:
        up.running.says("weir.db' cannot be used: database or disk is full")
        inside = Path(f"/proc/{up.pid}/root{state}")
        (inside / "fill").unlink()
        up.ready()
        assert answers(up) == "0000000| "

        session = up.session()
        prompt = {"parts": [{"type": "text", "text": "rate 200 100000"}]}
        with SseClient(f"{up.url}/global/event?session={session}") as stream:
            up.call("POST", f"/session/{session}/prompt_async", prompt)
            stream.until(lambda event: event["payload"]["type"] == "message.part.delta")
            _fill(inside / "fill")
            wait_until(lambda: "the store failed" in str(up.call("GET", "/weir/readyz").body))
        up.running.says("measurements are lost")
        assert up.stop() == 0
    assert "Traceback" not in up.output


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        (["-m", "processor", "--state", "{safe}", "--bus", "ipc://{open}"], "--bus"),
        (["-m", "processor", "--state", "{open}", "--bus", "ipc://{safe}"], "--state"),
        (["-m", "processor", "--state", "{open}", "--bus", "ipc://{safe}", RELAY], "--state"),
        (["-m", "gateway", "--port", "0", "--bus", "ipc://{open}"], "--bus"),
        (["-m", "deploy.cli", "up", "--port", "0", "--state", "{open}"], "--state"),
    ],
)
def test_a_folder_that_others_may_write_into_is_refused_in_one_line(short_folder, command, flag):
    places = {"open": short_folder / "open", "safe": short_folder / "safe"}
    places["open"].mkdir()
    places["open"].chmod(0o777)
    status, said = refused(*(word.format(**places) for word in command))
    assert status in (1, 2)
    [line] = said.splitlines()
    assert f"{flag}: other users may write into '{places['open']}' (its mode is 0777)" in line


@pytest.mark.parametrize("relay", [[], [RELAY]], ids=["native", "relay"])
def test_all_that_is_kept_is_for_its_owner_alone_whatever_was_there_before(tmp_path, relay):
    state = tmp_path / "state"
    state.mkdir(0o755)
    for name in ("weir.db", "watchdog.ndjson", "up.lock", "lock", "up-1.json"):
        (state / name).touch(0o644)
    script = 'umask 0; exec "$@"'
    with odd_up(tmp_path, script, "--state", str(state), *relay) as up:
        up.running.says("processor ready")
        modes = modes_in(state)
        kept = ("weir.db", "up.lock", "watchdog.ndjson", "bus", "events", "up-1.json")
        assert [name for name in kept if name not in modes] == []
        assert set(modes.values()) == {0}, modes


def modes_in(folder):
    """Return what others may do with a folder and with what is in it, by name."""
    modes = {}
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # a file that replaces another has its name for a moment
            modes[path.name] = path.stat().st_mode & 0o077
    return modes


def _fill(file):
    with file.open("wb", buffering=0) as out:
        try:
            while out.write(b"\0" * 4096):
                continue
        except OSError:
            return
