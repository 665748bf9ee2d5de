"""A part's text reaches the editor whole and once, whatever the stream does to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acp_client.session.text import PartText, Replacement

pieces = st.lists(st.text("ab \n🌊é", min_size=1, max_size=6), max_size=12)


def test_deltas_come_out_as_they_go_in():
    text = PartText()
    assert text.replace("", False) == ""
    assert [text.append(piece) for piece in ("Hel", "lo")] == ["Hel", "lo"]
    assert text.replace("Hello", True) == ""


def test_white_space_at_the_end_waits_for_what_follows():
    text = PartText()
    assert [text.append(piece) for piece in ("a ", "\n", "b")] == ["a", "", " \nb"]


def test_a_closing_text_without_the_white_space_at_its_end_is_no_change():
    text = PartText()
    said = text.append("Hello \n") + text.replace("Hello", True)
    assert said == "Hello"


def test_a_closing_text_with_it_brings_it():
    text = PartText()
    assert text.append("Hello \n") + text.replace("Hello \n", True) == "Hello \n"


def test_white_space_without_end_does_not_wait_for_ever():
    text = PartText()
    assert len(text.append(" " * 10_000)) == 10_000


def test_flushed_white_space_that_is_trimmed_later_is_no_change():
    text = PartText()
    assert text.append("Hello ") + text.flush() == "Hello "
    assert text.replace("Hello", True) == ""


def test_a_closing_text_of_another_wording_is_a_replacement():
    text = PartText()
    text.append("Hello world")
    with pytest.raises(Replacement) as replacement:
        text.replace("Goodbye", True)
    assert replacement.value.text == "Goodbye"
    assert text.replace("Goodbye", True) == ""


def test_after_a_hole_deltas_wait_for_a_snapshot():
    text = PartText()
    text.append("one ")
    text.note_gap()
    assert text.append("three ") == ""
    assert text.replace("one two three ", False) == " two three"
    assert text.append("four") == " four"


def test_what_is_said_again_is_not_told_again():
    text = PartText()
    text.append("abcdef")
    text.replace("abc", False)
    assert [text.append("de"), text.append("fgh")] == ["", "gh"]


def test_an_early_delta_and_the_opening_behind_it():
    text = PartText()
    assert text.append("Hel") == "Hel"
    assert text.replace("", False) == ""
    assert text.append("Hello") == "lo"


@pytest.mark.parametrize("halves", [("a\ud83c", "\udf0ab"), ("\ud83c", "\udf0a")])
def test_halves_of_a_pair_come_out_whole(halves):
    text = PartText()
    assert "".join(text.append(half) for half in halves).strip("ab") == "🌊"


def test_half_a_pair_that_stays_alone_is_replaced():
    text = PartText()
    assert text.append("a\ud83c") + text.append("b") == "a�b"


@given(pieces, st.data())
def test_the_text_is_a_prefix_of_the_truth_at_every_moment_and_whole_at_the_end(given_, data):
    """Deltas and snapshots in order; holes hide any of them."""
    truth = "".join(given_)
    text, told, at = PartText(), "", 0
    for piece in given_:
        at += len(piece)
        move = data.draw(st.sampled_from(["delta", "hole", "snapshot", "both", "old snapshot"]))
        if move == "hole":
            text.note_gap()
        if move in ("delta", "both"):
            told += text.append(piece)
        if move in ("snapshot", "both"):
            told += text.replace(truth[:at], False)
        if move == "old snapshot":
            told += text.append(piece)
            back = data.draw(st.integers(0, at))
            told += text.replace(truth[:back], False)
            told += text.append(truth[back:at])
        assert truth.startswith(told)
    trimmed = truth.rstrip() if data.draw(st.booleans()) else truth
    told += text.replace(trimmed, True)
    assert told == trimmed
