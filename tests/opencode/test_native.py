"""The unmodified terminal of opencode, attached to weir alone: what is on its screen."""

from urllib.request import urlopen

import pytest

from tests.blackbox.weir_up import said
from tests.fakes.texts import numbered
from tests.opencode import terminal
from tests.processes import wait_until

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed"),
]


@pytest.fixture(scope="module")
def api(alone):
    return alone


@pytest.fixture(scope="module")
def tui(installed, api):
    with terminal.attached(api.url, api.directory, installed()) as shown:
        yield shown


def test_the_start_shows_the_model_and_logs_no_error(tui):
    tui.shows("Build", "m1")
    assert "ERROR" not in tui.log()


def test_undo_redo_and_a_prompt_instead(tui, api):
    tui.enter("storm 3 40")
    tui.shows(numbered(3)[2].strip())
    tui.enter("storm 1 7")
    wait_until(lambda: stored(api) == ["storm 3 40", "storm 1 7"])
    tui.choose("/undo", "Undo previous message")
    tui.shows("1 message reverted", "storm 1 7")  # the prompt is back in the box
    wait_until(lambda: "revert" in session_of(api))
    tui.choose("/redo", "Redo")
    wait_until(lambda: "revert" not in session_of(api))
    tui.choose("/undo", "Undo previous message")
    tui.shows("1 message reverted", "storm 1 7")
    tui.empty()
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


def test_a_tool_runs_once_it_is_allowed_on_the_screen(tui, api):
    tui.enter("tool bash echo deep$((6*7))water then 3")
    tui.shows("Permission required", "Allow once")
    tui.press("Enter")
    tui.shows("deep42water", numbered(3)[2].strip())
    wait_until(lambda: not api.busy())


def test_a_question_is_answered_on_the_screen(tui, api):
    tui.enter("question")
    tui.shows("Which way?", "1. left", "2. right")
    tui.press("2")
    tui.shows("# Questions")
    wait_until(lambda: answers_of(api) == [["right"]])


def test_text_is_shown_while_it_is_being_said_and_an_abort_ends_the_turn(tui, api):
    tui.enter("hang 30")
    tui.shows("0000029|")
    assert api.busy()
    wait_until(lambda: pressed(tui, "Escape") and "· interrupted" in tui.screen())
    wait_until(lambda: not api.busy())
    assert finished(api)[-1]["info"]["error"]["name"] == "MessageAbortedError"


def test_a_session_of_another_client_is_listed_and_opened(tui, api):
    other = api.ask("POST", "/session", {"title": "kept by another"})["id"]
    api.prompt(other, "the water holds its level")
    wait_until(lambda: len(finished(api)) == 1)
    tui.choose("/sessions", "Switch session")
    tui.shows("Sessions", "Search", "storm 3 40 anew", "kept by another")
    tui.enter("kept by another", without="(fork #1)")
    tui.shows("the water holds its level")


def test_the_terminal_asked_for_no_route_that_weir_lacks(tui, api):
    with urlopen(f"{api.url}/metrics") as answer:
        assert b"weir_unknown_routes_total{" not in answer.read()
    assert "ERROR" not in tui.log()


def pressed(tui, key):
    """Press a key; return True."""
    tui.press(key)
    return True


def answers_of(api):
    """What the person chose in the last question that is answered; nothing before."""
    parts = [part for one in api.messages(session_of(api)["id"]) for part in one["parts"]]
    asked = [part["state"] for part in parts if part.get("tool") == "question"]
    return asked[-1].get("metadata", {}).get("answers") if asked else None


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
