"""Lines of a byte stream, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from acp_client.protocol.lines import ByteLines, LineTooLong


@given(
    st.lists(st.binary(max_size=8).filter(lambda b: b"\n" not in b and b"\r" not in b)), st.data()
)
def test_lines_come_out_whole_wherever_the_stream_is_cut(lines, data):
    stream = b"".join(line + b"\n" for line in lines)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    reader, got, begin = ByteLines(), [], 0
    for end in [*places, len(stream)]:
        got += reader.feed(stream[begin:end])
        begin = end
    assert got == lines
    assert list(reader.end()) == []


def test_what_is_no_whole_line_comes_at_the_end():
    reader = ByteLines()
    assert list(reader.feed(b"a\r\nhalf")) == [b"a"]
    assert list(reader.end()) == [b"half"]


def test_a_line_that_is_too_long_is_told_once_and_the_next_is_whole():
    reader = ByteLines(longest=4)
    got = list(reader.feed(b"12345")) + list(reader.feed(b"6789\nok\n"))
    assert isinstance(got[0], LineTooLong)
    assert got[1:] == [b"ok"]


def test_a_long_line_in_many_pieces_takes_no_longer_than_its_length():
    reader = ByteLines()
    for _ in range(20_000):
        assert list(reader.feed(b"x" * 1000)) == []
    [line] = reader.feed(b"\n")
    assert len(line) == 20_000_000
