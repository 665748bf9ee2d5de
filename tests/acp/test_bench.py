"""The bench against an agent that is not ours: what it asserts of ours can be seen at all."""

import pytest

from tests.acp import agents, laws
from tests.acp.plan import NEW, TYPESCRIPT, play, prompt
from tests.fakes.texts import numbered

pytestmark = [pytest.mark.timeout(900), pytest.mark.benchmark]


@pytest.fixture(scope="module")
def opencodes_own(installed, provider, tmp_path_factory):
    return agents.theirs(tmp_path_factory.mktemp("own"), provider.url, installed())


def test_opencodes_own_agent_is_driven(typescript, opencodes_own):
    steps = [NEW, prompt("reason 3 text 4"), prompt("tool bash echo one then 3")]
    played = play(TYPESCRIPT, opencodes_own, [*steps, prompt("rate 100 2000", cancel_after=300)])
    laws.all_is_valid(played)
    laws.all_is_understood(played)
    laws.a_session_is_known_before_it_is_told_of(played.step(0))
    assert played.step(1).text().strip() == "".join(numbered(4)).strip()
    assert len(played.step(2).asked) == 1
    assert played.step(3).result["stopReason"] == "cancelled"
