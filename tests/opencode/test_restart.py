"""An opencode that is killed behind weir: readers stay, are told the truth, and are healed."""

import contextlib
import json
from typing import NamedTuple

import pytest

from tests.fakes.texts import DEFAULT_SIZE
from tests.http_client import Reply, call
from tests.opencode.api import Api
from tests.opencode.collector import Collector
from tests.opencode.install import OLD_VERSION, VERSION
from tests.opencode.relay import readiness, weir_before
from tests.opencode.scenarios import PLAIN
from tests.opencode.views import agreed, text_of
from tests.processes import ROOT, wait_until
from tests.reference import State
from tests.sse_client import SseClient

pytestmark = pytest.mark.timeout(900)


def of_versions(*versions):
    """Run a test at these versions of opencode."""
    return pytest.mark.parametrize("opencode", versions, indirect=True, scope="package")


BOTH = of_versions(VERSION, OLD_VERSION)
HASTY = {"PYTHONPATH": f"{ROOT / 'tests' / 'fakes' / 'hasty'}:{ROOT}"}
NOTICED_S = 120.0
HEALED_S = 240.0
"""Of a reader whose first request a server that starts may leave unanswered."""
LEFT_UNANSWERED_S = 8.0


@pytest.fixture(scope="module")
def up(opencode, tmp_path_factory):
    with weir_before(opencode, tmp_path_factory.mktemp("weir"), "--workers", "1") as own:
        yield own


@pytest.fixture(scope="module")
def api(opencode, up):
    wait_until(lambda: is_ready(up), HEALED_S)
    return Api(up.url, str(opencode.projects[0]))


class Gap(NamedTuple):
    """A kill in the middle of a turn: who read on through it, and what weir said while it lasted.

    Attributes:
        session: whose turn it was.
        one: a reader of its folder.
        every: a reader of all folders.
        late: a reader who came while opencode was gone.
        said: of ``/weir/readyz``, ``/weir/livez`` and ``/session``.
    """

    session: str
    one: Collector
    every: Collector
    late: Collector
    said: tuple[Reply, Reply, Reply]


@pytest.fixture(scope="module")
def gap(opencode, up, api):
    """A gap that is over: opencode runs again, weir is ready, and the readers are still there."""
    with Collector(api.url, api.directory) as one, Collector(api.url) as every:
        every.attached(api.create)
        session = in_mid_stream(api, one)
        opencode.kill()
        wait_until(lambda: not is_ready(up), NOTICED_S, "a readyz that is not ready")
        asked = ("/weir/readyz", "/weir/livez", "/session")
        said = tuple(up.call("GET", path) for path in asked)
        with Collector(api.url, api.directory) as late:
            opencode.start()
            wait_until(lambda: is_ready(up), HEALED_S, "a readyz that is ready again")
            yield Gap(session, one, every, late, said)


def in_mid_stream(api, reader):
    session = api.create()
    api.prompt(session, "rate 200 100000")
    reader.first("message.part.delta", session, 5)
    return session


def is_ready(up):
    return readiness(up)[0] == 200


def lists_sessions(up):
    with contextlib.suppress(OSError):
        return call("GET", f"{up.url}/session", timeout_s=LEFT_UNANSWERED_S).status == 200
    return False


@BOTH
def test_weir_says_so_while_opencode_is_gone(up, gap):
    ready, alive, refused = gap.said
    assert (ready.status, ready.body["ready"]) == (503, False)
    assert ready.body["reasons"]
    assert ready.body["upstream"]
    assert alive.status == 200
    assert refused.status in (502, 503, 504)
    assert refused.headers["Content-Type"].startswith("application/json")
    wait_until(lambda: readiness(up)[1]["reasons"] == [], what="no reason against it")
    assert up.call("GET", "/session").status == 200


@BOTH
def test_text_is_at_every_moment_a_beginning_of_what_was_said(api, gap):
    agreed(api, gap.one.events, gap.session)
    state, longest = State(), ""
    for event in list(gap.one.events):
        state.apply(event)
        text = text_of(state.messages_of(gap.session))
        shorter, longest = sorted((text, longest), key=len)
        assert longest.startswith(shorter)
    assert numbers(longest) == list(range(len(numbers(longest))))


def numbers(text):
    """Return the running numbers of what ``rate`` says, a piece each."""
    return [int(text[start : start + 7]) for start in range(0, len(text), DEFAULT_SIZE)]


@BOTH
def test_readers_stay_and_are_healed_after_a_kill(api, gap):
    for reader in (gap.one, gap.every):
        agreed(api, reader.events, gap.session)
        assert reader.over == ""
    again = PLAIN.play(api, gap.one)
    for reader in (gap.one, gap.every):
        agreed(api, reader.events, again)
        assert sum(event["type"] == "server.connected" for event in reader.events) == 1


@BOTH
def test_a_reader_who_comes_while_opencode_is_gone_is_served_once_it_is_back(api, gap):
    session = PLAIN.play(api, gap.late)
    agreed(api, gap.late.events, session)


@BOTH
def test_a_session_goes_on_after_a_restart(api, gap):
    agreed(api, gap.one.events, gap.session)
    idle = [event for event in gap.one.events if event["type"] == "session.idle"]
    idles = sum(event["properties"]["sessionID"] == gap.session for event in idle)
    api.prompt(gap.session, "and so it goes on")
    gap.one.first("session.idle", gap.session, idles + 1)
    told = agreed(api, gap.one.events, gap.session)
    assert "and so it goes on" in text_of(told["messages"])


@of_versions(OLD_VERSION)
def test_a_session_at_rest_that_is_deleted_while_weir_is_away_is_told_gone(opencode, tmp_path):
    straight = Api(opencode.url, str(opencode.projects[0]))
    with weir_before(opencode, tmp_path, env=HASTY) as before:
        wait_until(lambda: is_ready(before), HEALED_S)
        with Collector(before.url, straight.directory) as reader:
            session = PLAIN.play(Api(before.url, straight.directory), reader)
        wait_until(lambda: session in noted_at_rest(tmp_path), HEALED_S, "a note")
    straight.ask("DELETE", f"/session/{session}")
    with weir_before(opencode, tmp_path, env=HASTY) as after:
        wait_until(lambda: is_ready(after), HEALED_S)
        with SseClient(f"{after.url}/global/event", {"Last-Event-ID": "before:1"}) as stream:
            told = stream.until(lambda event: event["payload"]["type"] == "session.deleted")
    assert told[-1]["payload"]["properties"]["info"]["id"] == session


def noted_at_rest(folder):
    return {name for file in folder.rglob("up-*.json") for name in decoded(file)["at_rest"]}


def decoded(file):
    return json.loads(file.read_text())
