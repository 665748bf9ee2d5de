"""Tools that an editor shows in ways of their own: an edit, a subagent, a question."""

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND, DIRECT
from tests.acp.plan import FORMS, NEW, NO_CAPABILITIES, PYTHON, TYPESCRIPT, play, prompt
from tests.fakes.tools import OPTIONS

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", params=[(TYPESCRIPT, BEHIND), (PYTHON, DIRECT)], ids=str)
def parties(request, typescript, agent):
    client, where = request.param
    return client, agent(where)


def turn(parties, text, capabilities=NO_CAPABILITIES):
    transcript = play(*parties, [NEW, prompt(text)], capabilities=capabilities)
    laws.all_is_valid(transcript)
    laws.all_is_understood(transcript)
    turn = transcript.step(1)
    laws.an_answer_is_the_last_word(turn)
    assert turn.result["stopReason"] == "end_turn"
    return turn


def test_an_edit_is_shown_as_a_diff_of_the_file(parties):
    file = parties[1].directory / f"edited-{parties[0]}.txt"
    file.write_text("one\ntwo\nthree\n")
    edited = turn(parties, f"edit {file.name} two 2")
    [diff] = edited.diffs()
    assert diff["path"] == str(file)
    assert (diff["oldText"], diff["newText"]) == ("one\ntwo\nthree\n", "one\n2\nthree\n")
    assert file.read_text() == diff["newText"]


def test_a_subagent_asks_in_the_name_of_the_session_the_editor_knows(parties):
    delegated = turn(parties, "delegate tool bash echo one then 3")
    [asked] = delegated.asked
    assert asked["sessionId"] == delegated.request["params"]["sessionId"]
    tools = delegated.tools()
    assert {tool["kind"]: tool["status"] for tool in tools.values()} == {
        "think": "completed",
        "execute": "completed",
    }
    assert asked["toolCall"]["toolCallId"] in tools
    told = {frame.message["params"]["sessionId"] for frame in delegated.before if frame.update}
    assert told == {asked["sessionId"]}


def test_a_question_is_declined_for_an_editor_without_forms(parties):
    asked = turn(parties, "question")
    [tool] = asked.tools().values()
    assert tool["status"] == "failed"
    assert parties[1].api.pending() == []


def test_a_question_is_a_form(parties):
    asked = turn(parties, "question", FORMS)
    [form] = [f.message for f in asked.before if f.message.get("method") == "elicitation/create"]
    assert form["params"]["sessionId"] == asked.request["params"]["sessionId"]
    [tool] = asked.tools().values()
    assert tool["status"] == "completed"
    assert OPTIONS[0] in str(tool["rawOutput"])
    assert OPTIONS[1] not in str(tool["rawOutput"])
