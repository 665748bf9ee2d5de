"""The web app that an opencode serves, in a browser: the few things that a person does in it."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.chromium import WAIT_MS
from tests.processes import wait_until

_TAKEN_WITHIN_S = 4.0
"""For the first try; each further one has twice as long."""


class WebApp:
    """A tab with the web app.

    Attributes:
        refused: method, path and status of each answer that was an error.
    """

    def __init__(self, context: Any) -> None:
        self.refused: set[tuple[str, str, int]] = set()
        self.tab = context.new_page()
        self.tab.on("response", self._note)

    def log_in(self, url: str, token: str) -> None:
        """Have the browser keep the cookie of a token, as the console's login does."""
        answer = self.tab.context.request.post(f"{url}/weir/login", data={"token": token})
        assert answer.status == 200, answer.text()

    def add_server(self, url: str) -> None:
        """Add a server in the settings."""
        self.tab.get_by_role("button", name="Settings").first.click()
        servers = self.tab.get_by_role("tab", name="Servers")
        servers.click()
        self.tab.get_by_role("button", name="Add server").first.click()
        address = self.tab.get_by_placeholder("http://localhost:4096")
        address.fill(url)
        self.tab.get_by_role("button", name="Add server").last.click()
        address.wait_for(state="hidden")
        self.tab.keyboard.press("Escape")
        servers.wait_for(state="hidden")

    def open_project(self, directory: str) -> None:
        """Open a folder of the server that was added last."""
        self.tab.get_by_role("button", name="Add project").last.click()
        self.tab.get_by_placeholder("Search folders").fill(directory)
        name = directory.rpartition("/")[2]
        self.tab.get_by_role("dialog").get_by_text(name, exact=True).first.click()

    def begin(self, url: str, directory: str) -> None:
        """Begin a session in a folder of the server that the web app comes from."""
        self.tab.goto(f"{url}/{slug(directory)}/session")
        # The page of the folder leads on, and would take along what is typed before.
        self.tab.wait_for_url("**/new-session?*")

    def say(self, words: str) -> None:
        """Send a prompt in the session that is open.

        Until the web app knows the models, it ignores the key: then press the key again.
        """
        box = self.tab.locator("[contenteditable=true]").last
        box.click()
        box.press_sequentially(words)
        patience_s = _TAKEN_WITHIN_S

        def taken() -> bool:
            nonlocal patience_s
            box.press("Enter")
            try:
                return wait_until(lambda: words not in box.inner_text(), patience_s)
            except TimeoutError:
                patience_s *= 2
                return False

        wait_until(taken, what=f"the prompt {words!r}")

    def shows(self, words: str) -> None:
        """Wait until these words are in the page."""
        self.tab.get_by_text(words).first.wait_for()

    def _note(self, answer: Any) -> None:
        if answer.status >= 400:
            path = urlsplit(answer.url).path
            self.refused.add((answer.request.method, path, answer.status))


@contextmanager
def web_app(browser: Any) -> Iterator[WebApp]:
    """Open a tab for the time of a ``with`` block, in a browser that knows nothing yet."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    try:
        yield WebApp(context)
    finally:
        context.close()


def slug(text: str) -> str:
    """Return how the web app spells a folder, or a server, in its addresses."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
