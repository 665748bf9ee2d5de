"""The unmodified terminal of opencode, attached to weir alone: what is on its screen."""

import pytest

from tests.blackbox.weir_up import said, weir_up
from tests.fakes.texts import numbered
from tests.opencode import home, terminal
from tests.opencode.api import Api
from tests.processes import wait_until

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return str(home.project(tmp_path_factory.mktemp("native") / "project"))


@pytest.fixture(scope="module")
def api(provider, project, tmp_path_factory):
    flags = ("--model-url", provider.url, "--model", "m1")
    with weir_up(tmp_path_factory.mktemp("weir"), *flags) as up:
        yield Api(up.url, project)


@pytest.fixture(scope="module")
def tui(installed, api):
    with terminal.attached(api.url, api.directory, installed()) as shown:
        yield shown


def test_undo_redo_and_a_prompt_instead(tui, api):
    tui.enter("storm 3 40")
    tui.shows(numbered(3)[2].strip())
    tui.enter("storm 1 7")
    wait_until(lambda: stored(api) == ["storm 3 40", "storm 1 7"])
    tui.choose("/undo", "Undo previous message")
    tui.shows("1 message reverted")
    wait_until(lambda: "revert" in session_of(api))
    tui.press("C-c")  # the text of the prompt is back in the box
    tui.choose("/redo", "Redo")
    wait_until(lambda: "revert" not in session_of(api))
    tui.choose("/undo", "Undo previous message")
    tui.shows("1 message reverted")
    tui.press("C-c")
    tui.enter("storm 2 9")
    wait_until(lambda: stored(api) == ["storm 3 40", "storm 2 9"])


def test_a_session_is_renamed(tui, api):
    tui.choose("/rename", "Rename session")
    tui.shows("Rename Session")
    tui.enter(" anew")
    wait_until(lambda: session_of(api)["title"] == "storm 3 40 anew")


def test_a_session_is_forked(tui, api):
    tui.choose("/fork", "Fork")
    tui.shows("Fork session", "Full session")
    tui.press("Enter")
    wait_until(lambda: session_of(api)["title"].endswith("(fork #1)"))
    assert stored(api) == ["storm 3 40", "storm 2 9"]


def test_a_session_is_compacted(tui, api):
    tui.choose("/compact", "Compact session")
    wait_until(
        lambda: any(one["info"].get("summary") is True for one in finished(api)),
        what="a summary",
    )


def test_a_command_of_the_user_runs_and_its_output_is_shown(tui, api):
    tui.press("!")
    tui.enter("echo by-the-$((40 + 2))")
    tui.shows("by-the-42")
    wait_until(lambda: "by-the-42" in str(finished(api)[-1]["parts"]), what="its output")


def session_of(api):
    """The session that was made last."""
    return max(api.ask("GET", "/session"), key=lambda one: one["time"]["created"])


def stored(api):
    """The prompts of that session, without those that an undo hides; its turns are over."""
    session = session_of(api)
    if api.busy():
        return None
    return [said(one) for one in api.messages(session["id"]) if one["info"]["role"] == "user"]


def finished(api):
    """The answers of that session that are complete."""
    found = api.messages(session_of(api)["id"])
    return [one for one in found if "completed" in one["info"]["time"]]
