"""A tool that is refused, and a turn that is cancelled while the user is asked."""

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND, DIRECT
from tests.acp.plan import NEW, PYTHON, TYPESCRIPT, play, prompt

pytestmark = pytest.mark.timeout(900)

BASH = "tool bash echo one then 3"
ECHO = "and so it goes on"


@pytest.fixture(scope="module", params=[(TYPESCRIPT, DIRECT), (PYTHON, BEHIND)], ids=str)
def parties(request, typescript, agent):
    client, where = request.param
    return client, agent(where)


def played(parties, permission):
    transcript = play(*parties, [NEW, prompt(BASH), prompt(ECHO)], permission)
    laws.all_is_valid(transcript)
    laws.all_is_understood(transcript)
    [_, turn, next_turn] = (transcript.step(number) for number in range(3))
    laws.an_answer_is_the_last_word(turn)
    assert (next_turn.text(), next_turn.result["stopReason"]) == (ECHO, "end_turn")
    return turn


def test_a_refused_tool_has_failed(parties):
    turn = played(parties, "reject_once")
    [tool] = turn.tools().values()
    assert (len(turn.asked), tool["status"]) == (1, "failed")


def test_a_turn_cancelled_while_the_user_is_asked_ends_at_once(parties):
    turn = played(parties, "wait")
    assert (len(turn.asked), turn.result["stopReason"]) == (1, "cancelled")
    assert turn.text() == ""
    assert parties[1].api.pending() == []
