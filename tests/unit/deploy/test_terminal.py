"""Text of others is shown on a terminal, and never obeyed."""

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.doctor.finding import warn
from deploy.terminal import has_colour, shown, shown_json, shown_line


def obeyed(text, but=""):
    """The characters of a text that a terminal may act on."""
    return {c for c in text if unicodedata.category(c) == "Cc" and c not in but}


@given(st.text())
def test_no_control_character_is_left(text):
    assert obeyed(shown(text), "\n\t") == set()
    assert obeyed(shown_line(text)) == set()
    assert shown_line(text).count("\n") == 0


@given(st.text())
def test_text_without_control_characters_is_not_touched(text):
    plain = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))
    assert shown(plain) == shown_line(plain) == shown_json(plain) == plain


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_keeps_its_value(value):
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert json.loads(shown_json(written)) == value
        assert obeyed(shown_json(written)) == set()


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b[2J\x1b[H", "␛[2J␛[H"),
        ("\x9b2J\x7f", "\\u009b2J␡"),
        ("one\r\ntwo\rthree\b", "one\ntwo␍three␈"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\tb\n漢字 🌊 e\u0301", "a\tb\n漢字 🌊 e\u0301"),
    ],
)
def test_control_characters_have_pictures(text, is_shown):
    assert shown(text) == is_shown


def test_a_finding_of_the_doctor_stays_one_line_whatever_a_server_says():
    line = str(warn("server", "version \x1b[2J\n9\x9b1", "\x07"))
    assert line == "warn  server      version ␛[2J␊9\\u009b1 -> ␇"


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_and_people_who_want_it(environ, colour):
    out = io.StringIO()
    assert not has_colour(out, environ)
    out.isatty = lambda: True
    assert has_colour(out, environ) is colour
