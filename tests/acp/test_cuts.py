"""Connections that end in the middle of a turn: the text is whole, and told once."""

import pytest

from tests.acp import agents, laws
from tests.acp.conftest import BEHIND, DIRECT, NATIVE
from tests.acp.counting import counting
from tests.acp.editor import editor
from tests.opencode.views import text_of
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(900)

TURN_S = 120.0
STREAM = "GET /global/event"
ECHO = "and so it goes on"
TURNS = ("rate 300 300", "reason 30 text 600", "parts 4 200 40")


@pytest.mark.parametrize("where", [BEHIND, DIRECT, NATIVE])
def test_the_text_is_whole_and_told_once_whatever_is_cut(agent, where):
    known = agent(where)
    turns = TURNS[: 2 if where == NATIVE else 3]
    with counting(known.api.url) as proxy:
        one = agents.ours(where, known.api.url, known.directory, through=proxy.url)
        with editor(one) as client:
            client.introduce()
            session = client.begin(one)
            told = [cut_once(client, proxy, session, text) for text in turns]
            begin = len(client.heard)
            client.prompt(session, ECHO, TURN_S)
            told.append(text_of_chunks(client, session, begin))
    assert told[-1] == ECHO
    stored = [text_of(turn) for turn in laws.turns_of(known, session)]
    assert told == stored


@pytest.mark.parametrize("script", ["rate 100 150", "parts 2 100 40"])
def test_what_a_server_says_before_it_listens_to_itself_is_made_up_for(agent, script):
    known = agent(DIRECT)
    with counting(known.api.url) as proxy:
        one = agents.ours(DIRECT, known.api.url, known.directory, through=proxy.url)
        with editor(one) as client:
            client.introduce()
            session = client.begin(one)
            begin = len(client.heard)
            number = client.send_prompt(session, script)
            client.wait(lambda heard: heard.chunk is not None, begin, TURN_S)
            proxy.deaf = True
            proxy.cut(STREAM)
            wait_until(lambda: session not in known.api.busy(), TURN_S)
            proxy.deaf = False
            wait_until(lambda: STREAM in proxy.connections.values(), TURN_S)
            known.api.create()  # which it hears of
            end, result = client.answer(number, TURN_S)
            told = text_of_chunks(client, session, begin, end)
    assert result["stopReason"] == "end_turn"
    assert told == text_of(known.api.messages(session))


def cut_once(client, proxy, session, text):
    """Have a turn whose connections are cut at its first word; return what it told."""
    begin = len(client.heard)
    number = client.send_prompt(session, text)
    client.wait(lambda heard: heard.chunk is not None, begin, TURN_S)
    proxy.cut()
    end, result = client.answer(number, TURN_S)
    assert result["stopReason"] == "end_turn"
    return text_of_chunks(client, session, begin, end)


def text_of_chunks(client, session, begin, end=None):
    return "".join(heard.chunk_of(session) for heard in client.heard[begin:end])
