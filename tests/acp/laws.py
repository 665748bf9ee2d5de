"""What holds of every agent, whatever it is asked; AssertionError where it does not."""

from tests.acp import schema
from tests.acp.agents import Agent
from tests.acp.transcript import Exchange, Json, Transcript
from tests.opencode.views import text_of
from tests.processes import wait_until

SETTLE_S = 120.0


def all_is_valid(transcript: Transcript) -> None:
    """Everything that the agent says is as the published schema wants it."""
    assert schema.violations(transcript) == []


def all_is_understood(transcript: Transcript) -> None:
    """The client's library hands every update and every question on."""
    asked = [m for m in transcript.received() if m.get("method") == "session/request_permission"]
    told = {"updates": len(transcript.updates()), "permissions": len(asked)}
    assert transcript.handled == told


def a_session_is_known_before_it_is_told_of(made: Exchange) -> None:
    """Nothing of a session comes before the answer that gives its id."""
    assert made.updates() == []


def an_answer_is_the_last_word(turn: Exchange) -> None:
    """Nothing of a turn comes once its prompt is answered."""
    assert turn.late == []


def the_user_is_not_echoed(turn: Exchange) -> None:
    """What the user has just said is not told to them."""
    assert turn.updates("user_message_chunk") == []


def told_is_stored(agent: Agent, session: str, turns: list[Exchange]) -> None:
    """The chunks of each turn are, byte for byte, what REST tells of it."""
    told = [(turn.text(), turn.text("agent_thought_chunk")) for turn in turns]

    def equal() -> bool:
        return told == _stored(agent, session)

    try:
        wait_until(equal, SETTLE_S)
    except TimeoutError:
        assert told == _stored(agent, session)


def _stored(agent: Agent, session: str) -> list[tuple[str, str]]:
    return [(text_of(turn), text_of(turn, "reasoning")) for turn in turns_of(agent, session)]


def turns_of(agent: Agent, session: str) -> list[list[Json]]:
    """Return the messages of a session as REST tells them, a list for each prompt."""
    turns: list[list[Json]] = []
    for message in agent.api.messages(session):
        if message["info"]["role"] == "user":
            turns.append([])
        turns[-1].append(message)
    return turns
