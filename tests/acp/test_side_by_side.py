"""Two sessions of one process, in a turn at the same time."""

import pytest

from tests.acp.conftest import BEHIND, DIRECT
from tests.acp.editor import editor
from tests.fakes.texts import numbered

pytestmark = pytest.mark.timeout(900)

TURN_S = 120.0


@pytest.mark.parametrize("where", [BEHIND, DIRECT])
def test_each_session_is_told_its_own(agent, where):
    one = agent(where)
    texts = {1: 300, 2: 200}
    with editor(one) as client:
        client.introduce()
        sessions = {which: client.begin(one) for which in texts}
        prompts = {
            which: client.send_prompt(session, f"reason 3 text {texts[which]}")
            for which, session in sessions.items()
        }
        for number in prompts.values():
            assert client.answer(number, TURN_S)[1]["stopReason"] == "end_turn"
        for which, session in sessions.items():
            told = "".join(heard.chunk_of(session) for heard in client.heard)
            assert told == "".join(numbered(texts[which]))
