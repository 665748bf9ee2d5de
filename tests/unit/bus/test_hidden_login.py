"""A login in a URL of the command line, where every user could read it."""

from pathlib import Path

import pytest

from bus.hidden_login import without_login
from bus.login import Login
from tests.processes import running

ME = Login("me", "p:w")
URL, CLEAN = "http://me:p%3Aw@h:1/a", "http://h:1/a"


@pytest.mark.parametrize("flag", ["--upstream", "--url", "--server"])
def test_the_login_leaves_the_words_in_either_form(flag):
    words = [f"{flag}={URL}", "--port", "0"]
    assert without_login(words) == ([f"{flag}={CLEAN}", "--port", "0"], ME)
    assert without_login([flag, URL, "--port=0"]) == ([flag, CLEAN, "--port=0"], ME)


def test_the_last_of_several_counts_as_it_does_for_flags():
    words = ["--url", URL, "--url", "http://other"]
    assert without_login(words) == (["--url", CLEAN, "--url", "http://other"], None)
    words = ["--url", "http://a:b@c", "--url", URL]
    assert without_login(words) == (["--url", "http://c", "--url", CLEAN], ME)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--upstream"],
        ["--upstream="],
        ["--upstream", "http://h"],
        ["--upstream", "http://me:p@"],
        ["--upstream", "http://me:%00@h"],
        ["--model-url", "http://h/v1"],
        ["--session", URL],
    ],
)
def test_other_words_stay_as_they_are(words):
    assert without_login(words) == (words, None)


def test_no_list_of_processes_shows_it(tmp_path):
    code = (
        "import os, sys, time; from bus import entry\n"
        "def command(words):\n"
        "    print(os.environ['OPENCODE_SERVER_PASSWORD'], words, flush=True); time.sleep(60)\n"
        "sys.exit(entry.run('weir x', command, sys.argv[1:]))"
    )
    with running("-c", code, "--url", URL, "--x", log=tmp_path / "log") as process:
        assert process.says("p:w") == f"p:w ['--url', '{CLEAN}', '--x']"
        shown = Path(f"/proc/{process.process.pid}/cmdline").read_bytes().decode()
    assert CLEAN in shown
    assert "p%3Aw" not in shown
