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
WAIT_MS = 120_000
# Of the machine, not of the page: another test has made or removed a network interface.
_SOME_FILES = ("/frame.css", "/api.js")
_NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"


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
        try:
            tab.goto(self.url + path, wait_until=until)
        except Exception as error:  # of a package that may not be installed
            if _NETWORK_CHANGED not in str(error):
                raise
            tab.goto(self.url + path, wait_until=until)
        return tab

    @contextmanager
    def failing_once(self, status: int) -> Iterator[None]:
        """Fail the first request to each route and to some files: by a status, or a reset for 0.

        A browser looks for few files at once: it loads the page again for each file that fails.
        """
        seen: set[str] = set()

        def handle(route: Any) -> None:
            path = route.request.url.partition("?")[0]
            one = route.request.resource_type == "fetch" or path.endswith(_SOME_FILES)
            fails = one and path not in seen and not path.endswith("/weir/console")
            seen.add(path)
            if not fails:
                route.continue_()
            elif status:
                route.fulfill(status=status, json={"data": {"message": "fails once"}})
            else:
                route.abort("connectionreset")

        self._context.route("**/*", handle)
        yield
        for tab in self._context.pages:
            tab.close()
        self.faults = [fault for fault in self.faults if "Failed to load" not in fault]

    def paint_nothing(self) -> None:
        """Have pages wait in vain for the moment before they are painted."""
        self._context.add_init_script("window.requestAnimationFrame = () => 0")

    def expect_cut(self) -> None:
        """Take one report of a cut connection as expected."""
        [fault] = [fault for fault in self.faults if "net::ERR_" in fault]
        self.faults.remove(fault)

    def leave(self) -> None:
        """Close all tabs; what they have complained of fails the test."""
        for tab in self._context.pages:
            tab.close()
        faults, self.faults = self.faults, []
        assert not faults, faults

    def close(self) -> None:
        """Close the browser."""
        self._context.close()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and _NETWORK_CHANGED not in message.text:
            self.faults.append(f"{message.type}: {message.text} {message.location['url']}")


@contextmanager
def visit(browser: Any, url: str, **context: Any) -> Iterator[Visit]:
    """Visit a server for the time of a ``with`` block; the pages may not complain.

    Tests that share a visit share the browser's cache too, which makes a page cheap to open.
    """
    # Animations would have the page painted sixty times a second.
    visitor = Visit(browser, url, reduced_motion="reduce", **context)
    try:
        yield visitor
        visitor.leave()
    finally:
        visitor.close()


def watch_sizes(tab: Any, selector: str) -> None:
    """Note from now on each length that the text of an element has, in `window.sizes`."""
    tab.evaluate(
        """(selector) => {
          window.sizes = [];
          const look = () => {
            const size = document.querySelector(selector)?.textContent.length;
            if (size && size !== sizes.at(-1)) sizes.push(size);
          };
          const what = { childList: true, subtree: true, characterData: true };
          new MutationObserver(look).observe(document.body, what);
        }""",
        selector,
    )


def watch_shifts(tab: Any) -> None:
    """Note from now on what moves in the page by itself, in `window.shifts`."""
    tab.evaluate(
        """() => {
          window.shifts = [];
          const named = ({ node, previousRect: was, currentRect: is }) =>
            `${node?.className || node?.nodeName} ${was.x},${was.y} to ${is.x},${is.y}`;
          new PerformanceObserver((list) => {
            for (const { value, sources } of list.getEntries())
              shifts.push([value, ...sources.map(named)].join(" "));
          }).observe({ type: "layout-shift" });
        }"""
    )


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
