"""Turns with everything in them, by both official clients, behind weir and at opencode itself."""

from pathlib import Path

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND, DIRECT
from tests.acp.plan import LIST, NEW, PYTHON, TYPESCRIPT, play, prompt
from tests.fakes.scripts import TITLE
from tests.fakes.texts import numbered
from tests.fakes.tools import TODOS
from tests.fakes.turns import WRITTEN

pytestmark = pytest.mark.timeout(900)

PLACES = [(TYPESCRIPT, BEHIND), (PYTHON, DIRECT)]
N = 5
ECHO = "the water holds its level 🌊 and passes on"
CANCEL_AFTER = 300
"""Characters."""
MADE, WORK, ECHOED, CANCELLED, AFTERWARDS, LISTED = range(6)
PROMPTS = (WORK, ECHOED, CANCELLED, AFTERWARDS)


@pytest.fixture(scope="module", params=PLACES, ids=str)
def place(request, typescript):
    return request.param


@pytest.fixture(scope="module")
def where(place, agent):
    return agent(place[1])


@pytest.fixture(scope="module")
def client(place):
    return place[0]


@pytest.fixture(scope="module")
def written(where, client):
    """The path of a file that the work makes."""
    return Path(where.directory) / f"{where.name}-{client}.txt".replace(" ", "-")


@pytest.fixture(scope="module")
def played(where, client, written):
    """What was said in a session that works, echoes, is cancelled, and goes on."""
    steps = [
        NEW,
        prompt(f"work {written.name} echo one; echo two then {N}"),
        prompt(ECHO),
        prompt("rate 100 2000", cancel_after=CANCEL_AFTER),
        prompt("and so it goes on"),
        LIST,
    ]
    return play(client, where, steps)


@pytest.fixture(scope="module")
def session(played):
    return played.step(MADE).result["sessionId"]


@pytest.fixture(scope="module")
def work(played):
    return played.step(WORK)


def call(work, kind):
    [found] = [one for one in work.tools().values() if one["kind"] == kind]
    return found


def test_everything_said_is_valid_and_reaches_the_client(played):
    laws.all_is_valid(played)
    laws.all_is_understood(played)


def test_nothing_is_told_of_a_session_before_it_is_known(played):
    laws.a_session_is_known_before_it_is_told_of(played.step(MADE))


@pytest.mark.parametrize("turn", PROMPTS)
def test_the_answer_to_a_prompt_is_the_last_word_of_its_turn(played, turn):
    laws.an_answer_is_the_last_word(played.step(turn))


@pytest.mark.parametrize("turn", PROMPTS)
def test_the_user_is_not_echoed(played, turn):
    laws.the_user_is_not_echoed(played.step(turn))


def test_what_is_told_is_what_is_stored(where, played, session):
    laws.told_is_stored(where, session, [played.step(turn) for turn in PROMPTS])


def test_text_and_thought_are_told_apart(played, work):
    assert work.result["stopReason"] == "end_turn"
    assert work.text("agent_thought_chunk").strip() == "".join(numbered(N)).strip()
    assert work.text().count("0000004|") == 4
    assert played.step(ECHOED).text() == ECHO


def test_chunks_of_a_message_share_an_id(work):
    ids = [update["messageId"] for update in work.updates("agent_message_chunk")]
    assert len(dict.fromkeys(ids)) == 4
    assert ids == sorted(ids, key=list(dict.fromkeys(ids)).index)


def test_permission_is_asked_once_for_the_tool_that_wants_it(work):
    [asked] = work.asked
    assert asked["toolCall"]["toolCallId"] == call(work, "execute")["toolCallId"]
    kinds = [option["kind"] for option in asked["options"]]
    assert sorted(kinds) == ["allow_always", "allow_once", "reject_once"]


def test_a_command_is_shown_with_what_it_says(work):
    bash = call(work, "execute")
    assert bash["status"] == "completed"
    said = [one["content"]["text"] for one in bash["content"] if one["type"] == "content"]
    assert "one\ntwo" in "".join(said)


def test_a_written_file_is_shown_as_a_diff(work, written):
    assert call(work, "edit")["status"] == "completed"
    [diff] = work.diffs()
    assert (diff["path"], diff.get("oldText"), diff["newText"]) == (str(written), None, WRITTEN)
    assert written.read_text() == WRITTEN
    assert str(written) in [one["path"] for one in call(work, "edit")["locations"]]


def test_todos_are_a_plan(work):
    plan = work.updates("plan")[-1]["entries"]
    assert [entry["content"] for entry in plan] == list(TODOS)
    assert {(entry["priority"], entry["status"]) for entry in plan} == {("high", "pending")}


def test_the_session_gets_its_title(played, session):
    titles = [update.get("title") for update in played.updates("session_info_update")]
    assert titles[-1] == TITLE
    listed = {one["sessionId"]: one for one in played.step(LISTED).result["sessions"]}
    assert listed[session]["title"] == TITLE


def test_the_session_is_listed_with_its_folder(where, played, session):
    listed = {one["sessionId"]: one for one in played.step(LISTED).result["sessions"]}
    assert listed[session]["cwd"] == str(where.directory)


@pytest.mark.parametrize("turn", [WORK, ECHOED, AFTERWARDS])
def test_usage_is_told_before_the_answer(played, turn):
    usage = played.step(turn).updates("usage_update")[-1]
    assert 0 < usage["used"] <= usage["size"]


def test_a_cancelled_turn_says_so_and_the_session_goes_on(played):
    cancelled = played.step(CANCELLED)
    assert cancelled.result["stopReason"] == "cancelled"
    assert CANCEL_AFTER <= len(cancelled.text()) < 2000 * 40
    assert played.step(AFTERWARDS).result["stopReason"] == "end_turn"
    assert played.step(AFTERWARDS).text() == "and so it goes on"
