"""What tests of the console wait for, and what they read in the page and on the server."""

from pathlib import Path
from typing import Any

from tests.blackbox.weir_up import Up, said
from tests.processes import wait_until

WINDOW = {"viewport": {"width": 1280, "height": 900}}


def until_live(tab: Any) -> None:
    """Wait until the page has its event stream."""
    tab.wait_for_selector(".connection.on", state="attached")


def until_idle(tab: Any) -> None:
    """Wait until the session that the page shows is idle."""
    tab.wait_for_selector(".title-row .pill:has-text('idle')")


def answer_in_page(tab: Any) -> str:
    """Return the text of the answer as the page shows it."""
    return str(tab.locator(".message.assistant .text .prose").last.inner_text())


def answer_in_store(up: Up, session: str) -> str:
    """Return the text of the answer as the server has it."""
    return said(up.call("GET", f"/session/{session}/message").body[-1])


def save(tab: Any, path: Path) -> bytes:
    """Save what the tail shows; returns what is saved."""
    with tab.expect_download() as saved:
        tab.click("text=Download .sse")
    saved.value.save_as(path)
    return path.read_bytes()


def streams_of(up: Up) -> list[dict[str, Any]]:
    """Return the open streams of browsers."""
    rows = up.call("GET", "/weir/readers").body["readers"]
    return [row for row in rows if "Chrome" in row["client"]]


def until_one_stream(up: Up) -> dict[str, Any]:
    """Wait until there is one stream of a browser, and return that."""
    return wait_until(lambda: len(rows := streams_of(up)) == 1 and rows[0], what="one stream")


def opened(up: Up) -> int:
    """Return how many streams there were so far."""
    workers = up.call("GET", "/weir/status").body["workers"]
    return sum(worker["counts"]["streams"] for worker in workers)
