"""The lines of a body: whole, in order and bounded, however the bytes are cut."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.resources.lines import RequestLines

LONGEST = 20


class Bytes:
    """A body that comes in given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    @property
    def ended(self) -> bool:
        return not self._pieces

    def read(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def lines_of(pieces: list[bytes], is_live: bool, most: int = 3) -> list[bytes | None]:
    wire: Any = SimpleNamespace(ahead=b"", has_unread=lambda: False)
    body: Any = Bytes(pieces)
    lines = RequestLines(body, wire, LONGEST, is_live)
    found: list[bytes | None] = []
    while not lines.ended:
        batch = lines.batch(most)
        assert len(batch) <= most
        found += batch
    return found


@given(
    st.lists(st.binary(max_size=2 * LONGEST).map(lambda b: b.replace(b"\n", b"x")), max_size=8),
    st.data(),
    st.booleans(),
    st.booleans(),
)
def test_lines_are_the_same_however_the_body_is_cut(
    lines: list[bytes], data: st.DataObject, is_live: bool, ends_with_line: bool
) -> None:
    body = b"\n".join(lines) + b"\n" * ends_with_line
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=6)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    expected = [
        None if len(line) > LONGEST else line
        for line in lines
        if len(line) > LONGEST or line.strip()
    ]
    assert lines_of(pieces, is_live) == expected


def test_a_line_without_an_end_holds_no_more_than_a_line_may_have() -> None:
    held: list[int] = []

    class Endless(Bytes):
        def read(self, size: int) -> bytes:
            held.append(len(lines._begun))
            return super().read(size)

    body: Any = Endless([b"x" * 15] * 20 + [b"\nshort\n"])
    wire: Any = SimpleNamespace(ahead=b"", has_unread=lambda: False)
    lines = RequestLines(body, wire, LONGEST, False)
    assert lines.batch(10) == [None, b"short"]
    assert max(held) <= LONGEST


def test_a_line_that_is_too_long_is_known_before_it_ends() -> None:
    body: Any = Bytes([b"x" * 15] * 20 + [b"\nshort\n"])
    wire: Any = SimpleNamespace(ahead=b"", has_unread=lambda: False)
    lines = RequestLines(body, wire, LONGEST, True)
    assert lines.batch(10) == [None]
    assert len(body._pieces) == 19
    assert lines.batch(10) == [b"short"]
