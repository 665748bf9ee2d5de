"""The unmodified terminal of opencode, attached to weir: what is on its screen."""

import pytest

from tests.blackbox.weir_up import lives
from tests.fakes.texts import numbered
from tests.opencode import terminal
from tests.opencode.api import Api
from tests.processes import wait_until

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed"),
]


@pytest.fixture(scope="module")
def api(opencode, up):
    return Api(up.url, str(opencode.projects[0]))


@pytest.fixture(scope="module")
def tui(opencode, api):
    with terminal.attached(api.url, api.directory, opencode.version) as shown:
        yield shown
        pids = shown.pids()
    assert pids
    wait_until(lambda: not any(map(lives, pids)), what="the end of the terminal's program")


def test_a_prompt_and_its_answer_are_shown(tui):
    tui.enter("storm 3 40")
    tui.shows(*(text.strip() for text in numbered(3)))


def test_a_permission_is_asked_and_given_on_the_screen(tui):
    tui.enter("tool bash echo deep$((6*7))water then 3")
    tui.shows("Permission required", "Allow once")
    tui.press("Enter")
    tui.shows("deep42water", numbered(3)[2].strip())


def test_text_is_shown_while_it_is_still_being_said(api, tui):
    tui.enter("hang 30")
    tui.shows("0000029|")
    sessions = api.busy()
    assert sessions
    for session in sessions:
        api.abort(session)


def test_a_storm_leaves_the_terminal_alive(tui):
    tui.enter("storm 1000 40")
    tui.shows("0000999|")
    tui.enter("storm 7 40")
    tui.shows("0000006|")
