"""The harness against opencode alone: what its stream says is what it stores."""

import pytest

from tests.blackbox.weir_up import lives
from tests.fakes.scripts import TITLE
from tests.fakes.texts import numbered
from tests.fakes.tools import OPTIONS, TODOS
from tests.http_client import call
from tests.opencode import terminal
from tests.opencode.api import Api
from tests.opencode.collector import Collector
from tests.opencode.install import VERSION
from tests.opencode.scenarios import PLAIN, SCENARIOS, TWO
from tests.opencode.server import start_opencode
from tests.opencode.views import agreed, seen, text_of
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def api(opencode):
    return Api(opencode.url, str(opencode.projects[0]))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_both_streams_tell_what_is_stored(opencode, api, scenario):
    with Collector(api.url, api.directory) as one, Collector(api.url) as every:
        every.attached(api.create)
        session = scenario.play(api, one)
        agreed(api, one.events, session)
        agreed(api, every.events, session)


def play(name, api):
    scenario = next(one for one in SCENARIOS if one.name == name)
    with Collector(api.url, api.directory) as collector:
        session = scenario.play(api, collector)
        return agreed(api, collector.events, session)


def test_two_directories_at_once_are_told_apart(opencode):
    apis = [Api(opencode.url, str(project)) for project in opencode.projects]
    with (
        Collector(opencode.url, apis[0].directory) as first,
        Collector(opencode.url, apis[1].directory) as second,
    ):
        sessions = [TWO.begin(api) for api in apis]
        for api, collector, session in zip(apis, (first, second), sessions, strict=True):
            TWO.end(api, collector, session)
            agreed(api, collector.events, session)
        assert seen(first.events, sessions)[sessions[1]]["messages"] == []


def test_a_title_is_always_the_same(api):
    with Collector(api.url, api.directory) as collector:
        session = PLAIN.play(api, collector)
        wait_until(lambda: api.session(session)["title"] == TITLE)


def test_the_tool_runs_once_it_is_permitted(api):
    told = play("tool", api)
    [tool] = [p for m in told["messages"] for p in m["parts"] if p["type"] == "tool"]
    assert tool["state"]["output"].split() == ["one", "two"]
    assert text_of(told["messages"]).strip() == "".join(numbered(5)).strip()


def test_a_question_is_answered(api):
    told = play("question", api)
    [tool] = [p for m in told["messages"] for p in m["parts"] if p["type"] == "tool"]
    assert tool["state"]["metadata"]["answers"] == [[OPTIONS[0]]]


def test_todos_are_told(api):
    told = play("todo", api)
    assert [todo["content"] for todo in told["todos"]] == list(TODOS)


def test_a_file_is_written(opencode, api):
    play("write", api)
    assert (opencode.projects[0] / "made.txt").read_text() == "what-it-holds"


def test_thoughts_are_apart_from_text(api):
    told = play("reason", api)
    assert text_of(told["messages"], "reasoning").strip() == "".join(numbered(20)).strip()
    assert text_of(told["messages"]).strip() == "".join(numbered(30)).strip()


def test_an_error_and_an_abort_are_told(api):
    assert play("error", api)["errors"][0]["name"] == "APIError"
    aborted = play("abort", api)
    assert aborted["errors"][0]["name"] == "MessageAbortedError"
    assert text_of(aborted["messages"]).startswith("0000000|")


def test_a_restart_keeps_sessions_and_address(installed, provider, tmp_path):
    with start_opencode(tmp_path, provider.url, installed(VERSION)) as server:
        api = Api(server.url, str(server.projects[0]))
        with Collector(api.url, api.directory) as collector:
            session = PLAIN.play(api, collector)
            before = agreed(api, collector.events, session)["messages"]
            pid = server.pid
            server.kill()
            wait_until(lambda: collector.over)
        server.start()
        assert server.pid != pid
        assert api.messages(session) == before
        assert call("GET", f"{server.url}/global/health").body["version"] == server.version


@pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed")
def test_the_terminal_shows_an_answer(opencode, api):
    with terminal.attached(opencode.url, api.directory, opencode.version) as tui:
        tui.enter("storm 3 40")
        tui.shows(*(text.strip() for text in numbered(3)))
        pids = tui.pids()
    assert pids
    wait_until(lambda: not any(map(lives, pids)), what="the end of the terminal's program")
