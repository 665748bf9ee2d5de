"""weir in front of a real opencode: every client gets what opencode said, and REST agrees."""

import json
import subprocess
from contextlib import ExitStack

import pytest

from tests.blackbox.conftest import SDK
from tests.http_client import call
from tests.opencode.api import Api
from tests.opencode.collector import Collector
from tests.opencode.install import OLD_VERSION, VERSION
from tests.opencode.relay import readiness
from tests.opencode.scenarios import PLAIN, SCENARIOS, TWO
from tests.opencode.views import SETTLE_S, agreed, seen, stored
from tests.processes import DEADLINE_S, wait_until

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.parametrize("opencode", [VERSION, OLD_VERSION], indirect=True, scope="package"),
]

GETS = (
    "/path",
    "/project",
    "/project/current",
    "/config",
    "/config/providers",
    "/provider",
    "/provider/auth",
    "/agent",
    "/command",
    "/lsp",
    "/formatter",
    "/vcs",
    "/session",
    "/session/status",
    "/session/ses_nobody",
    "/permission",
    "/question",
)
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date"}


@pytest.fixture
def apis(opencode, up):
    """A client of weir and one of opencode, both of the first project."""
    directory = str(opencode.projects[0])
    return Api(up.url, directory), Api(opencode.url, directory)


class Watched:
    """Readers of both streams, at weir and at opencode."""

    def __init__(self, relayed, direct, stack):
        self.relayed, self.direct = relayed, direct
        self.pairs = [
            [stack.enter_context(Collector(api.url, where)) for api in (relayed, direct)]
            for where in (relayed.directory, None)
        ]
        for at_weir, at_opencode in self.pairs:
            at_opencode.attached(direct.create)
            at_weir.attached(direct.create)

    @property
    def at_weir(self):
        """The reader of the first project at weir."""
        return self.pairs[0][0]

    def all_agree(self, session):
        for at_weir, at_opencode in self.pairs:
            agreed(self.direct, at_opencode.events, session)
            agreed(self.relayed, at_weir.events, session)
            same(at_weir, at_opencode, session)
        assert stored(self.relayed, session) == stored(self.direct, session)


def same(at_weir, at_opencode, session):
    """Wait until two streams tell the same of a session; occurrences may be on their way."""

    def both():
        return [seen(one.events, [session]) for one in (at_weir, at_opencode)]

    try:
        wait_until(lambda: (told := both())[0] == told[1], SETTLE_S)
    except TimeoutError:
        relayed, direct = both()
        assert relayed == direct


@pytest.fixture
def watched(apis):
    with ExitStack() as stack:
        yield Watched(*apis, stack)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_weir_tells_is_what_opencode_tells_and_stores(watched, scenario):
    session = scenario.play(watched.relayed, watched.at_weir)
    watched.all_agree(session)


def test_a_turn_that_another_client_drives_at_opencode_is_told_too(watched):
    session = PLAIN.begin(watched.direct)
    PLAIN.end(watched.relayed, watched.at_weir, session)
    watched.all_agree(session)


def test_two_directories_at_once_are_told_apart(opencode, up):
    apis = [Api(up.url, str(project)) for project in opencode.projects]
    with (
        Collector(up.url, apis[0].directory) as first,
        Collector(up.url, apis[1].directory) as second,
    ):
        sessions = [TWO.begin(api) for api in apis]
        for api, collector, session in zip(apis, (first, second), sessions, strict=True):
            TWO.end(api, collector, session)
            agreed(api, collector.events, session)
        assert seen(first.events, sessions)[sessions[1]]["messages"] == []
        assert seen(second.events, sessions)[sessions[0]]["messages"] == []


@pytest.mark.parametrize("path", GETS)
def test_a_request_is_answered_as_opencode_answers_it(apis, path):
    def answers():
        return [call("GET", f"{api.url}{path}?directory={api.directory}") for api in apis]

    def alike():
        """Ask both; a session may get its title between the two."""
        relayed, direct = answers()
        return relayed.body == direct.body and (relayed, direct)

    try:
        relayed, direct = wait_until(alike, SETTLE_S)
    except TimeoutError:
        relayed, direct = answers()
        assert relayed.body == direct.body
    assert relayed.status == direct.status
    kept = [
        {name.lower(): value for name, value in reply.headers.items()}
        for reply in (relayed, direct)
    ]
    differ = {name for name in kept[0] | kept[1] if kept[0].get(name) != kept[1].get(name)}
    assert differ <= HOP_BY_HOP


def test_a_blocking_prompt_is_answered_with_the_stored_message(watched):
    session = watched.relayed.create()
    body = {"parts": [{"type": "text", "text": "rate 50 50"}]}
    answer = watched.relayed.ask("POST", f"/session/{session}/message", body)
    assert answer == watched.direct.messages(session)[-1]
    watched.all_agree(session)


def test_health_and_readiness_tell_of_the_upstream(opencode, up):
    assert up.call("GET", "/global/health").body == {"healthy": True, "version": opencode.version}

    def ready():
        status, body = readiness(up)
        return (status, body["ready"], body["reasons"]) == (200, True, []) and body

    assert wait_until(ready, what="readiness")["upstream"]


@pytest.mark.parametrize("version", [[], ["--v1"]], ids=["v2", "v1"])
def test_the_unmodified_sdk_works_through_weir(apis, node, version):
    relayed, _ = apis
    command = [node, str(SDK / "prompt.mjs"), *version, relayed.url, "storm 500 40"]
    script = subprocess.run(
        [*command, relayed.directory], capture_output=True, text=True, timeout=2 * DEADLINE_S
    )
    assert script.returncode == 0, script.stderr
    told = json.loads(script.stdout)
    assert told["equal"] is True
    assert told["text"].startswith("0000000|")
    assert "0000499|" in told["text"]
