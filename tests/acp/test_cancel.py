"""A turn that is given up at any moment, by whatever means the protocol has."""

import threading

import pytest

from tests.acp.conftest import BEHIND, DIRECT, NATIVE
from tests.acp.editor import editor
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(900)

TURN_S = 120.0
ECHO = "and so it goes on"
ENDLESS = "rate 100 100000"
"""A quarter of an hour: what ends sooner was ended."""
MOMENTS_MS = (0, 2, 10, 30, 100)


@pytest.fixture(scope="module", params=[BEHIND, DIRECT, NATIVE])
def one(request, agent):
    return agent(request.param)


@pytest.fixture
def client(one):
    with editor(one) as client:
        client.introduce()
        yield client


def goes_on(client, session):
    """See that the next turn is whole, and all there is."""
    begin = len(client.heard)
    client.prompt(session, ECHO, TURN_S)
    assert "".join(heard.chunk_of(session) for heard in client.heard[begin:]) == ECHO


def test_a_turn_is_cancelled_at_any_moment(one, client):
    session = client.begin(one)
    for moment_ms in MOMENTS_MS:
        number = client.send_prompt(session, ENDLESS)
        threading.Event().wait(moment_ms / 1000)
        client.notify("session/cancel", sessionId=session)
        assert client.answer(number, TURN_S)[1] == {"stopReason": "cancelled"}
    goes_on(client, session)


def test_a_request_that_is_cancelled_is_a_turn_that_is_cancelled(one, client):
    session = client.begin(one)
    number = client.send_prompt(session, ENDLESS)
    client.wait(lambda heard: heard.chunk is not None, 0, TURN_S)
    client.notify("$/cancel_request", requestId=number)
    assert client.answer(number, TURN_S)[1] == {"stopReason": "cancelled"}
    goes_on(client, session)


def test_closing_a_session_ends_its_turn_first(one, client):
    session = client.begin(one)
    number = client.send_prompt(session, ENDLESS)
    client.wait(lambda heard: heard.chunk is not None, 0, TURN_S)
    closed, _ = client.ask("session/close", TURN_S, sessionId=session)
    answered, result = client.answer(number, TURN_S)
    assert result == {"stopReason": "cancelled"}
    assert answered < closed
    wait_until(lambda: is_idle(one, session), what="an idle session")


def test_an_editor_that_leaves_ends_its_turns(one):
    with editor(one) as client:
        client.introduce()
        session = client.begin(one)
        client.send_prompt(session, ENDLESS)
        client.wait(lambda heard: heard.chunk is not None, 0, TURN_S)
    wait_until(lambda: is_idle(one, session), what="an idle session")


def is_idle(one, session):
    return one.api.busy().get(session, {"type": "idle"}) == {"type": "idle"}
