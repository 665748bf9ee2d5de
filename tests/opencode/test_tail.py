"""`weir tail` in front of a real opencode, as a person reads it."""

import pytest

from tests.opencode.api import Api
from tests.opencode.relay import readiness
from tests.processes import running, wait_until

pytestmark = pytest.mark.timeout(900)


def tail(up, log, *flags):
    return running("-m", "deploy.cli", "tail", "--url", up.url, *flags, log=log)


def test_a_turn_with_a_tool_is_read_as_it_happens_and_afterwards(opencode, up, tmp_path):
    api = Api(up.url, str(opencode.projects[0]))
    # What is fetched after a restart of opencode would be shown, too.
    wait_until(lambda: readiness(up)[0] == 200, what="readiness")
    with tail(up, tmp_path / "live.log") as live:
        session = api.create()
        name = f" {session[-4:]} "
        wait_until(lambda: f"{name}── {session}\n" in live.output, what="the session")
        api.prompt(session, "tool bash seq 30; exit 3 then 2")
        wait_until(lambda: f"{name}? may bash: seq 30" in live.output, what="the question")
        [asked] = [one for one in api.ask("GET", "/permission") if one["sessionID"] == session]
        api.permit(asked["id"])
        allowed = " -> allowed once\n"
        wait_until(lambda: f"{name}(idle)\n" in live.output.partition(allowed)[2], what="the end")
        written = live.output
    assert written.count(f"{name}(busy)\n") == 2  # once for each step
    folded = "  | 5\n  … 20 more lines …\n  | 26\n"
    output = f"{name}* bash seq 30; exit 3\n  | 1\n"
    for words in (output, folded, "  | 30\n  ! exit 3\n"):
        assert words in written
    with tail(up, tmp_path / "past.log", "--session", session) as past:
        wait_until(lambda: f"{name}0000000|" in past.output, what="the answer")
        for words in (f"{name}> tool bash seq 30; exit 3 then 2\n", output, folded):
            assert past.output.count(words) == 1
