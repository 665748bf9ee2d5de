"""A login in a URL of the command line, where every user could read it."""

from pathlib import Path

import pytest

from bus.process.hidden_login import without_login
from bus.process.login import Login
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


@pytest.mark.parametrize("flags", [["--url", URL], ["--url", "http://a:p%3Aw@h", f"--url={URL}"]])
def test_no_list_of_processes_shows_it(tmp_path, flags):
    code = (
        "import os, sys, time; from bus.process import entry\n"
        "def command(words):\n"
        "    print(os.environ['OPENCODE_SERVER_PASSWORD'], words, flush=True); time.sleep(600)\n"
        "sys.exit(entry.run('weir x', command, sys.argv[1:]))"
    )
    with running("-c", code, *flags, "--x", log=tmp_path / "log") as process:
        assert process.says("p:w").endswith(f"{CLEAN}', '--x']")
        shown = Path(f"/proc/{process.process.pid}/cmdline").read_bytes().decode()
    assert CLEAN in shown
    assert "p%3Aw" not in shown


def test_a_login_in_a_url_that_does_not_count_is_hidden_as_well(tmp_path):
    code = (
        "import os, sys, time; from bus.process import entry\n"
        "def command(words):\n"
        "    print('OPENCODE_SERVER_PASSWORD' in os.environ, words, flush=True); time.sleep(600)\n"
        "sys.exit(entry.run('weir x', command, sys.argv[1:]))"
    )
    words = ["--url", URL, "--url", "http://other"]
    with running("-c", code, *words, log=tmp_path / "log") as process:
        said = process.says("http://other")
        shown = Path(f"/proc/{process.process.pid}/cmdline").read_bytes().decode()
    assert said == f"False ['--url', '{CLEAN}', '--url', 'http://other']"
    assert "p%3Aw" not in shown
