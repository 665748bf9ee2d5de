"""How a turn ends when it does not end well, and what is chosen for the next."""

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND, DIRECT, NATIVE
from tests.acp.plan import NEW, PYTHON, TYPESCRIPT, play, prompt
from tests.fakes.texts import numbered

pytestmark = pytest.mark.timeout(900)

REFUSED, CUT_SHORT, AFTERWARDS = range(1, 4)
ECHO = "and so it goes on"


@pytest.fixture(
    scope="module", params=[(TYPESCRIPT, DIRECT), (PYTHON, BEHIND), (PYTHON, NATIVE)], ids=str
)
def played(request, typescript, agent):
    client, where = request.param
    steps = [NEW, prompt("error 400 no such model"), prompt("length 5"), prompt(ECHO)]
    return play(client, agent(where), steps)


def test_everything_said_is_valid(played):
    laws.all_is_valid(played)
    for turn in (REFUSED, CUT_SHORT, AFTERWARDS):
        laws.an_answer_is_the_last_word(played.step(turn))


def test_a_model_that_refuses_is_said_in_words(played):
    error = played.step(REFUSED).answer["error"]
    assert "no such model" in error["message"]


def test_a_token_limit_is_told_apart_from_an_end(played):
    turn = played.step(CUT_SHORT)
    assert turn.result["stopReason"] == "max_tokens"
    assert turn.text() == "".join(numbered(5))


def test_the_session_goes_on(played):
    turn = played.step(AFTERWARDS)
    assert (turn.text(), turn.result["stopReason"]) == (ECHO, "end_turn")


@pytest.mark.parametrize("client", [TYPESCRIPT, PYTHON])
def test_a_mode_that_is_chosen_holds_from_the_next_turn_on(typescript, agent, client):
    where = agent(BEHIND)
    chosen = {"do": "option", "option": "mode", "value": "plan"}
    played = play(client, where, [NEW, chosen, prompt(ECHO)])
    laws.all_is_valid(played)
    offered = {one["id"]: one for one in played.step(0).result["configOptions"]}
    assert offered["model"]["category"] == "model"
    now = {one["id"]: one["currentValue"] for one in played.step(1).result["configOptions"]}
    assert now == {one["id"]: one["currentValue"] for one in offered.values()} | {"mode": "plan"}
    [messages] = laws.turns_of(where, played.step(0).result["sessionId"])
    assert {message["info"]["agent"] for message in messages} == {"plan"}
