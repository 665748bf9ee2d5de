"""A headless Chromium, driven by Playwright: the system's own, as Playwright's is a download.

Whatever a page writes to its console as an error, and every exception in it, fails the test.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--enable-precise-memory-info")
WAIT_MS = 20_000


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a browser, or skip the test by name where it cannot be had."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A person's browser: some tabs that share what tabs of a browser share.

    Attributes:
        faults: what pages have complained of so far.
    """

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.url = url
        self.faults: list[str] = []
        self._context = browser.new_context(**context)
        self._context.set_default_timeout(WAIT_MS)

    def open(self, path: str = "/weir/console", until: str = "load") -> Any:
        """Open a tab; `until` is the moment that is waited for."""
        tab = self._context.new_page()
        tab.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        tab.on("console", self._heard)
        tab.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        tab.goto(self.url + path, wait_until=until)
        return tab

    def expect_cut(self) -> None:
        """Take one report of a cut connection as expected."""
        [fault] = [fault for fault in self.faults if "net::ERR_" in fault]
        self.faults.remove(fault)

    def close(self) -> None:
        """Close all tabs."""
        self._context.close()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} {message.location['url']}")


@contextmanager
def visit(browser: Any, url: str, **context: Any) -> Iterator[Visit]:
    """Visit a server for the time of a ``with`` block; the pages may not complain."""
    visitor = Visit(browser, url, **context)
    try:
        yield visitor
        assert not visitor.faults, visitor.faults
    finally:
        visitor.close()


@contextmanager
def tasks_ms(tab: Any) -> Iterator[list[float]]:
    """Yield a list that has, after the block, what each task of the tab's main thread took.

    It is the time of the processor: on a machine with other work, tasks are interrupted.
    """
    browser, taken = tab.context.browser, []
    browser.start_tracing(page=tab, categories=["devtools.timeline", "toplevel"])
    try:
        yield taken
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    for event in events:
        main = names.get((event["pid"], event["tid"])) == "CrRendererMain"
        if main and event["name"].endswith("RunTask") and "tdur" in event:
            taken.append(event["tdur"] / 1000)


def heap_bytes(tab: Any) -> int:
    """Return what a page's scripts hold, once what they do not hold is collected."""
    session = tab.context.new_cdp_session(tab)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return int(used)
