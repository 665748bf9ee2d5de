"""Where the sockets of a deployment are made, whatever the state folder is like."""

import errno
import os
import socket
import sys

import pytest

from bus.process.flags import BadFlag
from deploy import bus_folder as module
from deploy.bus_folder import bus_folder
from tests.blackbox.gateway_on_bus import temporary_folder


@pytest.fixture
def short_folder():
    with temporary_folder() as folder:
        yield folder


@pytest.fixture
def state(short_folder):
    folder = short_folder / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere(short_folder, monkeypatch):
    """The temporary folder of this system."""
    folder = short_folder / "tmp"
    folder.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return folder


@pytest.fixture
def no_sockets(state, monkeypatch):
    """A state folder on a file system without Unix sockets, as exFAT is."""

    class Picky(socket.socket):
        def bind(self, address):
            if address.startswith((str(state), "/proc")):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            super().bind(address)

    monkeypatch.setattr(module.socket, "socket", Picky)


def taken(folder):
    """Return whether a socket at the path of a folder is a file of the folder `folder`."""
    return (folder / "s").is_socket()


def test_the_folder_is_in_the_state_folder_and_nothing_is_left_in_it(state):
    with bus_folder(state) as bus:
        assert (bus.path, bus.fds) == (state / "bus", ())
        assert list(bus.path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a path that leads to a descriptor")
@pytest.mark.parametrize("name", ["x" * 120, os.fsdecode(b"not utf-8 \xff")])
def test_a_path_that_no_socket_can_have_is_named_by_a_descriptor(state, name):
    state = state / name
    state.mkdir()
    with bus_folder(state) as bus:
        [fd] = bus.fds
        os.fstat(fd)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.bind(str(bus.path / "s"))
            assert taken(state / "bus")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.usefixtures("no_sockets")
def test_without_unix_sockets_there_a_temporary_folder_is_used(state, elsewhere):
    with bus_folder(state) as bus:
        assert bus.path.parent == elsewhere
        assert bus.path.stat().st_mode & 0o777 == 0o700
    assert list(elsewhere.iterdir()) == []


@pytest.mark.usefixtures("no_sockets", "elsewhere")
def test_the_runtime_folder_of_the_user_is_preferred(state, short_folder, monkeypatch):
    runtime = short_folder / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with bus_folder(state) as bus:
        assert bus.path.parent == runtime


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("base", ["missing", "x" * 120])
def test_without_any_folder_for_sockets_the_state_is_refused(state, elsewhere, monkeypatch, base):
    if base != "missing":
        (elsewhere / base).mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(elsewhere / base))
    with pytest.raises(BadFlag) as refused, bus_folder(state):
        pass
    assert str(refused.value).startswith(f"--state: no socket can be made in '{state}/bus' (")
    assert "Operation not permitted" in str(refused.value)
