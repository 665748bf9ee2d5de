"""The bound on nesting: exact, linear, and what is too deep can be taken out and put back."""

import contextlib
import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import depth
from bus.depth import MOST_LEVELS, TooDeep, balanced, fold, is_folded, too_deep
from bus.json import decode

TEXTS = st.text(st.sampled_from('[]{}"\\\n,:aé\U0001f30a'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=40,
)


def levels(value):
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(levels, inner), default=0) if isinstance(value, dict | list) else 0


def nested(count, opening="[", closing="]"):
    return (opening * count + closing * count).encode()


@given(VALUES, st.integers(1, 5), st.sampled_from([None, 1]))
def test_it_tells_exactly_what_is_too_deep(value, most, indent):
    data = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    padded = data + b" " * 2 * most
    assert too_deep(padded, most) == (levels(value) > most)


@given(VALUES, st.integers(1, 5))
def test_what_is_folded_keeps_the_bound_and_unfolds_to_the_same_bytes(value, most):
    data = json.dumps(value).encode()
    folded = fold(data, most)
    shallow = json.loads(folded.json)
    assert levels(shallow) == min(levels(value), most)
    assert folded.unfold(folded.json) == data
    assert is_folded(folded.json) == (levels(value) > most)


@given(VALUES, st.sampled_from("[]{}"))
def test_only_what_is_no_json_is_unbalanced(value, bracket):
    data = json.dumps(value).encode()
    assert balanced(data)
    assert not balanced(data + bracket.encode())


@pytest.mark.parametrize("levels", [50, 51, 300, 100_000])
def test_what_oscillates_about_the_bound_is_found_exactly(levels):
    """Long stretches, above and below the bound, end in the middle of what is read at once."""
    deep = nested(levels) + b"," + b" " * 777
    data = b"[" * 250 + (deep * 3)[:-778] + b"]" * 250
    assert too_deep(data, 300) == (levels + 250 > 300)
    folded = fold(data, 300)
    assert folded.values == ([nested(levels - 50)] * 3 if levels > 50 else [])
    assert folded.unfold(folded.json) == data


@given(st.binary(max_size=60), st.integers(1, 3))
def test_bytes_that_are_no_json_fold_to_the_same_bytes_too(data, most):
    folded = fold(data, most)
    assert folded.unfold(folded.json) == data


def test_a_piece_unfolds_alone():
    data = b'{"a":' + nested(5) + b',"payload":' + nested(6) + b"}"
    folded = fold(data, 3)
    piece = bytes(msgspec.json.decode(folded.json, type=dict[str, msgspec.Raw])["payload"])
    assert folded.unfold(piece) == nested(6)


@pytest.mark.parametrize("count", [MOST_LEVELS + 1, 1500, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nothing_is_decoded_that_is_too_deep(count, opening, closing):
    data = nested(count, opening, closing).replace(b":}", b":1}")
    assert too_deep(data)
    with pytest.raises(TooDeep, match="deeper than 256 levels"):
        depth.check(data)
    with pytest.raises(TooDeep):
        decode(nested(count + 20, opening, closing))


def test_what_keeps_the_bound_can_be_decoded_and_encoded_on_a_deep_stack():
    data = nested(depth.EVENT_LEVELS)

    def deeper(calls):
        return deeper(calls - 1) if calls else json.loads(json.dumps(decode(data)))

    assert levels(deeper(300)) == depth.EVENT_LEVELS


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 3_000_000,
        b'"' + b'\\"' * 3_000_000,
        b'"\\' * 1_500_000,
        b"[]" * 1_500_000,
        b'{"a":[' * 1_000_000,
    ],
    ids=lambda data: repr(data[:8]),
)
def test_no_input_makes_it_slow(data):
    started = time.process_time()
    too_deep(data)
    with contextlib.suppress(TooDeep):
        fold(data)
    assert time.process_time() - started < 2
