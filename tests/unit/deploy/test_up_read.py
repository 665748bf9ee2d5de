"""What `weir up` makes of its flags, and which it refuses before anything has started."""

import fcntl
import socket
from pathlib import Path

import pytest

from bus.process.flags import BadFlag, HelpAsked
from deploy import up

HOME = {"XDG_STATE_HOME": "/srv/state"}


def refusal(*argv, **environ):
    with pytest.raises(BadFlag) as refused:
        up.read(argv, {**HOME, **environ})
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_defaults_are_the_documented_ones():
    options = up.read([], HOME)
    assert (options.host, options.port) == ("127.0.0.1", 4097)
    assert options.state == Path("/srv/state/weir")
    documented = {"workers": 2, "heartbeat_ms": 10_000, "frame_hz": 30, "log_level": "info"}
    assert documented.items() <= options.values.items()
    assert options.values["model_url"] is None


@pytest.mark.parametrize("xdg", [{}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}])
def test_without_xdg_the_state_is_in_the_home_folder(xdg):
    state = up.read([], {"HOME": "/home/me", **xdg}).state
    assert state == Path("/home/me/.local/state/weir")


@pytest.fixture
def homeless(monkeypatch):
    """A uid without a name, as in a container; `HOME` is not set either."""

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_help_and_a_state_of_its_own_still_work(home):
    with pytest.raises(HelpAsked, match="no default"):
        up.read(["--help"], home)
    assert up.read(["--state", "/srv/b"], home).state == Path("/srv/b")
    with pytest.raises(BadFlag, match=r"--state: missing.*no home folder"):
        up.read([], home)


def test_each_flag_has_a_twin_in_the_environment_and_wins_over_it():
    environ = {**HOME, "WEIR_PORT": "5000", "WEIR_WORKERS": "3", "WEIR_STATE": "/srv/b"}
    options = up.read(["--port", "5001"], environ)
    assert (options.port, options.values["workers"]) == (5001, 3)
    assert options.state == Path("/srv/b")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--port", "x"], ["--port", "'x'", "0 to 65535"]),
        (["--port", "65536"], ["--port", "'65536'", "0 to 65535"]),
        (["--port"], ["--port", "no value", "0 to 65535"]),
        (["--workers", "0"], ["--workers", "'0'", "1 to 64"]),
        (["--heartbeat-ms", "999"], ["--heartbeat-ms", "'999'", "1000 to 60000"]),
        (["--frame-hz", "-1"], ["--frame-hz", "'-1'", "0 to 1000"]),
        (["--host", ""], ["--host", "''", "an address"]),
        (["--state", " "], ["--state", "' '", "a folder"]),
        (["--state", "/a\nb"], ["--state", "a folder"]),
        (["--log-level", "loud"], ["--log-level", "'loud'", "debug, info, warning, error"]),
        (["--model-url", "ftp://x", "--model", "m"], ["--model-url", "'ftp://x'", "http://HOST"]),
        (["--model-url", "http://x/v1"], ["--model: missing", "--model-url needs it"]),
        (["--model", "m"], ["--model-url: missing", "--model needs it"]),
        (["--model-api-key", "k"], ["--model-api-key: unknown", "--port"]),
        (["--agent", "mine"], ["--agent", "'mine'", "MODULE:FUNCTION"]),
        (
            ["--agent", "a:b", "--upstream", "http://x"],
            ["--agent: not allowed with --upstream"],
        ),
        (["--bus", "ipc:///x"], ["--bus", "'ipc:///x'", "redis://HOST:PORT/DB"]),
        (["now"], ["now", "unknown"]),
    ],
)
def test_a_bad_flag_is_refused_in_words(argv, words):
    said = refusal(*argv)
    assert [word for word in words if word not in said] == []


def test_a_bad_twin_is_refused_by_its_own_name():
    assert refusal(WEIR_PORT="x").startswith("WEIR_PORT: 'x'")
    assert "missing" in refusal(WEIR_MODEL_URL="http://x/v1")


def test_a_bad_key_is_not_shown():
    said = refusal(WEIR_MODEL_API_KEY="not ok")
    assert "WEIR_MODEL_API_KEY" in said
    assert "not ok" not in said


def test_help_names_every_flag_its_twin_and_its_default():
    with pytest.raises(HelpAsked) as asked:
        up.read(["--help"], HOME)
    for flag in ("host", "port", "workers", "state", "model-url", "model", "heartbeat-ms"):
        assert f"--{flag} (WEIR_{flag.upper().replace('-', '_')})" in str(asked.value)
    assert "default: /srv/state/weir" in str(asked.value)
    assert "WEIR_MODEL_API_KEY" in str(asked.value)


def unusable(**changed):
    flags = {"port": "0", **changed}
    options = up.read([f"--{name}={value}" for name, value in flags.items()], HOME)
    with pytest.raises(BadFlag) as refused:
        up.run(options)
    return str(refused.value)


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_state_folder_that_cannot_be_is_refused(tmp_path, below):
    (tmp_path / "file").touch()
    said = unusable(state=tmp_path / below)
    assert said.startswith(f"--state: '{tmp_path / below}' cannot be used: ")


def test_a_state_folder_without_room_for_the_sockets_is_refused(tmp_path):
    (tmp_path / "bus").touch()
    assert unusable(state=tmp_path).startswith(f"--state: '{tmp_path}/bus' cannot be used: ")


def test_a_state_folder_in_use_is_refused(tmp_path):
    with (tmp_path / "up.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "in use by another weir up" in unusable(state=tmp_path)


def test_a_port_in_use_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = unusable(state=tmp_path, port=port)
    assert f"--port: {port} on 127.0.0.1 cannot be used" in said
    assert "choose another port" in said


def test_an_address_of_another_machine_is_refused(tmp_path):
    assert unusable(state=tmp_path, host="192.0.2.1").startswith("--host: '192.0.2.1'")
