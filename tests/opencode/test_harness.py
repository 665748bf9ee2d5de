"""The scenarios against opencode alone: each does what its name says."""

import pytest

from tests.fakes.scripts import TITLE
from tests.fakes.texts import numbered
from tests.fakes.tools import OPTIONS, TODOS
from tests.opencode.api import Api
from tests.opencode.collector import Collector
from tests.opencode.scenarios import PLAIN, SCENARIOS
from tests.opencode.views import agreed, text_of
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def api(opencode):
    return Api(opencode.url, str(opencode.projects[0]))


def play(name, api):
    scenario = next(one for one in SCENARIOS if one.name == name)
    with Collector(api.url, api.directory) as collector:
        session = scenario.play(api, collector)
        return agreed(api, collector.events, session)


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
