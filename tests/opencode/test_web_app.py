"""The unmodified web app of an opencode, in a browser, with weir alone as its server."""

import pytest

from tests.chromium import chromium
from tests.fakes.texts import numbered
from tests.opencode.web_app import web_app
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(900)

TITLE = "made by another client"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


def test_it_lists_opens_prompts_and_streams(browser, opencode, alone):
    session = alone.ask("POST", "/session", {"title": TITLE})["id"]
    alone.prompt(session, "the water holds its level")
    wait_until(lambda: len(alone.messages(session)) == 2 and not alone.busy())
    with web_app(browser) as app:
        app.tab.goto(opencode.url)
        app.add_server(alone.url)
        app.open_project(alone.directory)
        app.tab.get_by_text(TITLE).first.click()
        app.shows("the water holds its level")
        app.say("hang 30")
        app.shows("0000029|")  # the turn has no end, so the text came over the stream
        assert session in alone.busy()
        alone.abort(session)
        wait_until(lambda: not alone.busy())
        app.say("storm 3 9")
        app.shows("".join(numbered(3, 9)).strip())
        # The web app colours a project, which weir refuses by name.
        assert {one[::2] for one in app.refused} <= {("PATCH", 404)}, app.refused
