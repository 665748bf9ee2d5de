"""How many routes are told apart, whatever clients ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.unknown_routes import MOST_TEMPLATES, OTHER, UnknownRoutes, template


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/session/ses_5e1dd8bfeffe/fork", "/session/{}/fork"),
        ("/project/a80119ff30ffea/directories", "/project/{}/directories"),
        ("/pty/pty_1/connect", "/pty/{}/connect"),
        ("/find/file", "/find/file"),
        ("/api/v2/model", "/api/v2/model"),
        ("//File/", "/file"),
        ("/", "/"),
        ("/a/b/c/d/e/f/g", "/a/b/c/d/e/f/…"),
        ("/grüße/\x00/..", "/{}/{}/{}"),
        ("/" + "x" * 25, "/{}"),
    ],
)
def test_ids_are_no_part_of_a_template(path, expected):
    assert template(path) == expected


@given(st.text(max_size=400))
def test_a_template_is_short_and_printable(path):
    assert len(template(path)) < 200
    assert template(path).isprintable()


def test_past_a_bound_all_others_are_counted_together(caplog):
    caplog.set_level("INFO", "weir.gateway")
    unknown = UnknownRoutes()
    words = [a + b for a in "abcdefghij" for b in "klmnopqrst"]
    for word in words:
        unknown.note("GET", f"/{word}")
    unknown.note("BREW", "/aa")
    assert len(unknown.counts) == MOST_TEMPLATES + 1
    assert unknown.counts[OTHER] == len(words) - MOST_TEMPLATES + 1
    assert len(caplog.records) == MOST_TEMPLATES
