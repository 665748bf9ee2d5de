"""How log records look."""

import logging

import pytest

from bus.process.logs import FORMAT, OneLine


def line(message: str) -> str:
    return OneLine(FORMAT).format(logging.LogRecord("n", 20, "", 1, message, (), None))


@pytest.mark.parametrize("sent", ["\x1b[2J", "\x9b31m", "\r", "\n", "\x07", "\u202e", "\x00"])
def test_a_terminal_is_shown_control_characters_and_does_not_obey_them(sent: str) -> None:
    logged = line(f"a{sent}b")
    assert logged.isprintable()
    assert logged.endswith(f"a{sent.encode('unicode_escape').decode()}b")


def test_words_of_any_language_stay_as_they_are() -> None:
    assert line("größer 日本 🌊 \\n").endswith("größer 日本 🌊 \\n")
