"""The pages of the documentation, as a reader of Markdown sees them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.processes import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@cache
def prose(page: Path) -> str:
    """A page without its fenced code."""
    return _FENCED.sub("", page.read_text())


def section(page: Path, heading: str) -> str:
    """What is under a heading, up to the next heading of the same rank or a higher one."""
    text = prose(page)
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"{page.name} has no heading {heading!r}"
    after = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", after, re.MULTILINE)
    return after[: end.start()] if end else after


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text, without heads and rules."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def named(cell: str) -> list[str]:
    """What a cell has in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a forge makes of the headings of a page."""
    return frozenset(map(_anchor, _HEADING.findall(prose(page))))


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
