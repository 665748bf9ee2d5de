"""A session that another process of the agent has left: listed, loaded, resumed, gone on with."""

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND, DIRECT, NATIVE
from tests.acp.plan import LIST, NEW, PYTHON, TYPESCRIPT, play, prompt
from tests.opencode.views import text_of

pytestmark = pytest.mark.timeout(900)

FIRST, SECOND, THIRD = "reason 3 text 4", "what the user says 🌊", "and so it goes on"
PLACES = [(TYPESCRIPT, BEHIND), (PYTHON, DIRECT), (PYTHON, NATIVE)]


@pytest.fixture(scope="module", params=PLACES, ids=str)
def parties(request, typescript, agent):
    client, where = request.param
    return client, agent(where)


@pytest.fixture(scope="module")
def session(parties):
    """A session with two turns."""
    return play(*parties, [NEW, prompt(FIRST), prompt(SECOND)]).step(0).result["sessionId"]


@pytest.fixture(scope="module")
def loaded(parties, session):
    load = {"do": "load", "session": session}
    return play(*parties, [LIST, load, prompt(THIRD), LIST, {"do": "close"}])


def test_everything_said_is_valid_and_reaches_the_client(loaded):
    laws.all_is_valid(loaded)
    laws.all_is_understood(loaded)


def test_it_is_listed(session, loaded):
    listed = [one["sessionId"] for one in loaded.step(0).result["sessions"]]
    assert listed.count(session) == 1


def test_all_of_it_is_replayed_before_the_answer(parties, session, loaded):
    replay = loaded.step(1)
    assert replay.late == []
    stored = [m for turn in laws.turns_of(parties[1], session)[:2] for m in turn]
    assert replay.text() == text_of(stored)
    assert replay.text("agent_thought_chunk") == text_of(stored, "reasoning") != ""
    assert replay.text("user_message_chunk") == FIRST + SECOND == text_of(stored, role="user")


def test_it_is_replayed_in_the_order_it_was_said(loaded):
    kinds = [update["sessionUpdate"] for update in loaded.step(1).updates()]
    said = [kind for kind in kinds if kind.endswith("_chunk")]
    turn = ["user_message_chunk", "agent_thought_chunk", "agent_message_chunk"]
    assert list(_without_repeats(said)) == [*turn, turn[0], turn[2]]


def _without_repeats(kinds):
    return [kind for before, kind in zip([None, *kinds], kinds, strict=False) if kind != before]


def test_it_goes_on(loaded):
    turn = loaded.step(2)
    assert (turn.text(), turn.result["stopReason"]) == (THIRD, "end_turn")
    laws.an_answer_is_the_last_word(turn)
    laws.the_user_is_not_echoed(turn)


def test_a_resumed_session_is_not_replayed(parties, session):
    resume = {"do": "resume", "session": session}
    transcript = play(*parties, [resume, prompt(THIRD)])
    laws.all_is_valid(transcript)
    assert not any(u["sessionUpdate"].endswith("_chunk") for u in transcript.step(0).updates())
    assert transcript.step(0).late == []
    assert transcript.step(1).text() == THIRD
