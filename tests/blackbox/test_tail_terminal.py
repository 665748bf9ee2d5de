"""`weir tail` on a terminal: colours, and nothing that the terminal obeys."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from tests.blackbox.weir_up import NO_TWINS
from tests.fakes.stream_server import STREAM, answer, answer_status, stream_server
from tests.processes import ROOT

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b2J 漢字 🌊"
COLOUR = re.compile(r"\x1b\[\d*m")


def screen(*flags, **env):
    """Return all that a terminal gets while a session with a hostile title is followed."""
    info = {"id": "ses_1", "title": HOSTILE}
    event = {"type": "session.updated", "properties": {"sessionID": "ses_1", "info": info}}
    data = json.dumps(event, ensure_ascii=False).encode()
    gone = answer_status("404 Not Found", HOSTILE.encode())
    with stream_server(answer(STREAM + b"data: %b\n\n" % data), gone) as server:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "deploy.cli", "tail", "--url", server.url, *flags]
        environ = {**os.environ, **NO_TWINS, "TERM": "xterm", "PYTHONUTF8": "1", **env}
        with subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=theirs, stderr=theirs
        ) as tail:
            os.close(theirs)
            got = b""
            while data := _read(ours):
                got += data
            os.close(ours)
            assert tail.wait() == 1
    return got.decode()


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so that the last process at the other end has gone
        return b""


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_a_person_sees_colours_unless_they_want_none(env):
    got = screen(**{"NO_COLOR": "", **env})
    assert bool(COLOUR.search(got)) is not bool(env)
    assert got.startswith("weir tail: following http://127.0.0.1:")
    plain = COLOUR.sub("", got)
    assert "# ␛]0;owned␇␛[2J\\u009b2J 漢字 🌊\r\n" in plain
    assert not set("\x1b\x07\x9b") & set(plain)


def test_json_on_a_terminal_is_escaped():
    got = screen("--json")
    assert "owned" in got
    assert not set("\x1b\x07\x9b") & set(got)
