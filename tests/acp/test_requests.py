"""What an agent asks its server for in a turn, counted between the two."""

from collections import Counter
from typing import NamedTuple

import pytest

from tests.acp import agents
from tests.acp.conftest import BEHIND, DIRECT
from tests.acp.counting import HISTORY, MESSAGE, counting
from tests.acp.editor import editor
from tests.fakes.texts import numbered
from tests.opencode.api import Api, Refused

pytestmark = pytest.mark.timeout(900)

PARTS = 5
TURN_S = 120.0


class Turns(NamedTuple):
    """What was asked for in all of an agent's life, and after its first turn; a turn's text."""

    all: Counter[str]
    later: Counter[str]
    text: str


def turns(agent, proxy, deltas):
    """Have a short turn, one of 5 texts, and a short one again."""
    with editor(agent) as one:
        one.introduce()
        session = one.begin(agent)
        # What a session is opened with is asked for beside its first turn.
        first = one.prompt(session, "the first turn", TURN_S)
        before = len(proxy.requests)
        place = one.prompt(session, f"parts {PARTS} {deltas // PARTS} 40", TURN_S)
        one.prompt(session, "and so it goes on", TURN_S)
    chunks = [heard.chunk for heard in one.heard[first:place] if heard.chunk is not None]
    server = agent.api.url
    return Turns(proxy.count(server), proxy.count(server, before), "".join(chunks))


# An opencode spends half a millisecond on each delta; what the agent itself does with many is
# seen behind weir.
@pytest.mark.parametrize(("where", "deltas"), [(BEHIND, 3000), (DIRECT, 1000)])
def test_a_turn_of_thousands_of_deltas_reads_no_message_and_no_history(agent, where, deltas):
    known = agent(where)
    with counting(known.api.url) as proxy:
        one = agents.ours(where, known.api.url, known.directory, through=proxy.url)
        told = turns(one, proxy, deltas)
    assert told.all[MESSAGE] == 0, told.all
    # An opencode may leave out what follows its first word on a stream: where the first event is
    # one from the midst of a turn, that turn is fetched.
    assert told.all[HISTORY] <= (where == DIRECT), told.all
    assert told.later == {"POST /session/{id}/prompt_async": 2}
    assert told.text == "".join(numbered(deltas // PARTS)) * PARTS


def test_the_count_sees_what_is_read(agent):
    known = agent(BEHIND)
    session = known.api.create()
    with counting(known.api.url) as proxy:
        through = Api(proxy.url, known.api.directory)
        assert through.messages(session) == []
        with pytest.raises(Refused):
            through.ask("GET", f"/session/{session}/message/msg_none")
    assert proxy.count(known.api.url) == {HISTORY: 1, MESSAGE: 1}
