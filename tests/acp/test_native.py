"""weir alone, with a model of its own: what its turns have, an editor sees."""

import pytest

from tests.acp import laws
from tests.acp.conftest import NATIVE
from tests.acp.plan import LIST, NEW, PYTHON, TYPESCRIPT, play, prompt
from tests.fakes.texts import numbered
from tests.fakes.tools import TODOS

pytestmark = pytest.mark.timeout(900)

CANCEL_AFTER = 300
ECHO = "the water holds its level 🌊 and passes on"
TODO, BASH, EDIT = "todo", "tool bash echo one two then 3", "edit edited.txt two 2"
PLAN = {"do": "option", "option": "mode", "value": "plan"}
MADE, THOUGHT, CANCELLED, ECHOED, LISTED, LISTING, RAN, EDITED, MODE, PLANNED = range(10)
PROMPTS = (THOUGHT, CANCELLED, ECHOED, LISTING, RAN, EDITED, PLANNED)


@pytest.fixture(scope="module")
def where(agent):
    return agent(NATIVE)


@pytest.fixture(scope="module", params=[TYPESCRIPT, PYTHON])
def played(request, typescript, where):
    (where.directory / "edited.txt").write_text("one\ntwo\nthree\n")
    steps = [
        NEW,
        prompt("reason 20 text 30"),
        prompt("rate 100 2000", cancel_after=CANCEL_AFTER),
        prompt(ECHO),
        LIST,
        prompt(TODO),
        prompt(BASH),
        prompt(EDIT),
        PLAN,
        prompt(BASH),
    ]
    return play(request.param, where, steps)


@pytest.fixture(scope="module")
def session(played):
    return played.step(MADE).result["sessionId"]


def test_everything_said_is_valid_and_reaches_the_client(played):
    laws.all_is_valid(played)
    laws.all_is_understood(played)


def test_nothing_is_told_too_early_too_late_or_twice(played):
    laws.a_session_is_known_before_it_is_told_of(played.step(MADE))
    for turn in PROMPTS:
        laws.an_answer_is_the_last_word(played.step(turn))
        laws.the_user_is_not_echoed(played.step(turn))


def test_what_is_told_is_what_is_stored(where, played, session):
    laws.told_is_stored(where, session, [played.step(turn) for turn in PROMPTS])


def test_text_and_thought_are_told_apart(played):
    turn = played.step(THOUGHT)
    assert turn.text() == "".join(numbered(30))
    assert turn.text("agent_thought_chunk") == "".join(numbered(20))
    assert turn.result["stopReason"] == "end_turn"


def test_a_cancelled_turn_says_so_and_the_session_goes_on(played):
    cancelled = played.step(CANCELLED)
    assert cancelled.result["stopReason"] == "cancelled"
    assert CANCEL_AFTER <= len(cancelled.text()) < 2000 * 40
    assert played.step(ECHOED).text() == ECHO


def test_usage_is_told_before_the_answer(played):
    usage = played.step(THOUGHT).updates("usage_update")[-1]
    assert usage["used"] > 0


def test_the_session_has_a_title_and_is_listed(where, played, session):
    title = where.api.session(session)["title"]
    assert played.updates("session_info_update")[-1]["title"] == title
    listed = {one["sessionId"]: one for one in played.step(LISTED).result["sessions"]}
    assert (listed[session]["title"], listed[session]["cwd"]) == (title, str(where.directory))


def test_a_plan_is_told(played):
    [plan] = [update["entries"] for update in played.step(LISTING).updates("plan")][-1:]
    assert [one["content"] for one in plan] == list(TODOS)


def test_a_tool_runs_once_the_user_allows_it(played):
    turn = played.step(RAN)
    [tool] = turn.tools().values()
    assert (len(turn.asked), tool["status"], tool["kind"]) == (1, "completed", "execute")
    assert "one two" in str(tool["content"])
    assert turn.text() == "".join(numbered(3))


def test_an_edit_is_shown_as_a_diff_of_the_file(played, where):
    [diff, *_] = played.step(EDITED).diffs()
    assert diff["path"] == str(where.directory / "edited.txt")
    assert (diff["oldText"], diff["newText"]) == ("one\ntwo\nthree\n", "one\n2\nthree\n")


def test_a_mode_is_an_agent_and_plan_mode_runs_nothing(played):
    turn = played.step(PLANNED)
    [tool] = turn.tools().values()
    assert (turn.asked, tool["status"]) == ([], "failed")
