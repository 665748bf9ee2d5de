"""What the pages lead to is there: pages, headings, files."""

import re

import pytest

from tests.processes import ROOT
from tests.unit.docs.pages import PAGES, anchors, prose

_LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
_FILE = re.compile(
    r"`((?:acp_client|bus|deploy|docs|gateway|processor|tests|\.ci)/[\w./-]*|[\w-]+\.(?:md|lock))`"
)
README = ROOT / "README.md"


def names(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_to_a_page_and_a_heading_that_are_there(page):
    for link in filter(None, (one for pair in _LINK.findall(prose(page)) for one in pair)):
        path, _, anchor = link.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no {target}"
        if anchor:
            assert anchor in anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_file_that_is_named_is_there(page):
    for name in _FILE.findall(prose(page)):
        assert (ROOT / name).exists() or (page.parent / name).exists(), name


def test_the_readme_leads_to_every_page():
    linked = {(ROOT / path).resolve() for path in re.findall(r"\(([\w/]+\.md)", prose(README))}
    assert linked >= {page for page in PAGES if page != README}


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150
