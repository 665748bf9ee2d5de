"""How a command ends whose standard streams are not what they should be."""

import os
import subprocess
import sys

import pytest

from tests.processes import DEADLINE_S, environment

ENTRY = "import sys; from bus.process import entry; sys.exit(entry.run('weir x', command, []))"
SAYS = "def command(_):\n    print('… ' + 'x' * %d)\n    return 3\n"
PATIENT = "import sys\ndef command(_):\n    sys.stdin.read()\n    print('x' * 9)\n    return 3\n"


def run(code: str, shell: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of weir with standard streams as a shell redirects them."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" -c "$1" {shell}', sys.executable, f"{code}{ENTRY}"],
        env=environment({"PYTHONUNBUFFERED": "", **env}),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=DEADLINE_S,
    )


@pytest.mark.parametrize(
    ("end", "status"),
    [("return 3", 3), ("sys.exit(4)", 4), ("sys.exit()", 0), ("sys.exit('x')", 1)],
)
def test_a_service_ends_with_its_status_and_all_that_it_has_written(end, status):
    service = f"""
import sys
from bus.process import entry
def command(_):
    print("x" * 100_000)
    print("y" * 100_000, file=sys.stderr, end="")
    {end}
entry.serve("weir x", command, [])
"""
    ended = subprocess.run(
        [sys.executable, "-c", service],
        env=environment({"PYTHONUNBUFFERED": ""}),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (ended.returncode, len(ended.stdout)) == (status, 100_001)
    assert ended.stderr.startswith("y" * 100_000)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_reader_that_has_had_enough_is_no_failure(size, unbuffered):
    ended = run(SAYS % size, "< /dev/null | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}")
    assert ended.returncode in (0, 3), "3: all was written before head ended"
    assert ended.stderr == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_is_gone_is_no_failure(unbuffered):
    ended = run(PATIENT, "< <(sleep 0.2) | true", PYTHONUNBUFFERED=unbuffered)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said_in_one_line(unbuffered):
    ended = run(SAYS % 1, "> /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert ended.stderr == "weir x: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("unread", ["2> /dev/full", "2> >(true)", "2>&1 > /dev/null | true"])
def test_an_error_that_cannot_be_written_changes_no_exit_status(unread):
    refuses = (
        "import logging, sys; from bus.process.flags import BadFlag\n"
        "def command(_):\n"
        "    sys.stdin.read(); logging.warning('a'); raise BadFlag('--x: b' + 'x' * 100_000)\n"
    )
    ended = run(refuses, f"< <(sleep 0.2) {unread}; exit ${{PIPESTATUS[0]}}")
    assert (ended.returncode, ended.stderr) == (2, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed_do_no_harm(closed):
    probe = (
        "import os, socket, subprocess, sys\n"
        "def command(_):\n"
        "    print('out'); print('err', file=sys.stderr); sys.stdin.read()\n"
        "    assert socket.socket().fileno() > 2\n"
        "    child = 'import os; [os.fstat(number) for number in (0, 1, 2)]'\n"
        "    return subprocess.run([sys.executable, '-c', child]).returncode or 3\n"
    )
    ended = run(probe, f"< /dev/null {closed}")
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_what_an_encoding_does_not_have_is_replaced(encoding):
    ended = run(SAYS % 1, "", PYTHONIOENCODING=encoding)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "? x\n", "")


def test_files_are_for_their_owner_alone(tmp_path):
    code = f"import os\nos.chdir({str(tmp_path)!r})\ndef command(_):\n"
    code += "    os.mkdir('folder'); open('file', 'w').close(); return 3\n"
    assert run(code, "").returncode == 3
    assert [os.stat(tmp_path / one).st_mode & 0o777 for one in ("folder", "file")] == [
        0o700,
        0o600,
    ]
