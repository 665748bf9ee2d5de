"""Reading `text/event-stream`, against a reader that has the whole stream before it begins."""

import itertools
import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus.sse import EventStreamParser, EventTooLarge, ServerSentEvent

LINES = st.one_of(
    st.sampled_from(
        [b"", b"data", b"data:", b"data: ", b"data:  two", b":", b": comment", b"unknown: x"]
    ),
    st.builds(
        b"data: %b".__mod__, st.sampled_from([b"a", b"b: c", "é☃".encode(), b"\xff", b"\0"])
    ),
    st.builds(b"id:%b".__mod__, st.sampled_from([b"", b" 7", b" 7-8", b" a\0b", "ü".encode()])),
    st.builds(b"event:%b".__mod__, st.sampled_from([b"", b" tick", b"message"])),
    st.builds(b"retry:%b".__mod__, st.sampled_from([b"", b" 250", b" -1", b" 1.5", b" soon"])),
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=30).map(
    lambda lines: b"".join(itertools.chain.from_iterable(lines))
)


def read(pieces):
    """The events of a stream, the last id and the retry time."""
    parser = EventStreamParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events, parser.last_event_id, parser.retry_ms


def read_whole(stream):
    """The same by the words of the HTML standard, line by line over the whole stream."""
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    events, data, name, last_id, retry = [], [], "message", "", None
    for line in re.split(rb"\r\n|\n|\r", stream)[:-1]:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if line == b"":
            if data:
                events.append(ServerSentEvent(b"\n".join(data), name, last_id))
            data, name = [], "message"
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace") or "message"
        elif field == b"id" and b"\0" not in value:
            last_id = value.decode(errors="replace")
        elif field == b"retry" and re.fullmatch(rb"[0-9]+", value):
            retry = int(value)
    return events, last_id, retry


def split_at(stream, points):
    points = sorted({point % (len(stream) + 1) for point in points})
    return [stream[a:b] for a, b in itertools.pairwise([0, *points, len(stream)])]


@given(STREAMS, st.lists(st.integers(0, 500), max_size=12))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 10])
@example(b"data: a\r\r\n", [8, 9])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"\xef\xbb\xbf\n\xef\xbb\xbfdata: a\n\n", [3])
def test_any_split_of_the_bytes_gives_the_same_events(stream, points):
    whole = read_whole(stream)
    assert read([stream]) == whole
    assert read(split_at(stream, points)) == whole
    assert read([bytes([byte]) for byte in stream]) == whole


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_no_bytes_break_the_parser(stream, points):
    events, _, _ = read(split_at(stream, points))
    assert events == read_whole(stream)[0]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_is_there_as_soon_as_its_empty_line_is(end):
    assert read([b"data: now", end, end])[0] == [ServerSentEvent(b"now")]


def test_a_byte_order_mark_hides_no_event():
    mark = "\ufeff".encode()
    assert read([mark + b"data: a\n\n"])[0] == [ServerSentEvent(b"a")]
    assert read([mark + mark + b"data: a\n\ndata: b\n\n"])[0] == [ServerSentEvent(b"b")]


def test_data_lines_are_joined_with_a_line_feed():
    assert read([b"data: a\ndata:b\ndata\ndata:  c\n\n"])[0] == [ServerSentEvent(b"a\nb\n\n c")]


def test_an_event_without_data_is_none_and_takes_its_name_along():
    events = read([b"event: lost\nid: 1\n\n: only a comment\n\ndata: x\n\n"])[0]
    assert events == [ServerSentEvent(b"x", "message", "1")]


def test_an_id_stays_until_the_next_one_and_an_empty_one_takes_it_back():
    events, last_id, _ = read([b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 2\n"])
    assert [event.id for event in events] == ["1", "1", ""]
    assert last_id == "2"


def test_an_id_with_a_nul_is_ignored():
    assert read([b"id: 1\nid: 2\x003\ndata: a\n\n"])[0] == [ServerSentEvent(b"a", id="1")]


@pytest.mark.parametrize("value", [b"", b"-5", b"1e3", "٣".encode(), b"9" * 5000])
def test_a_retry_time_that_is_none_is_ignored(value):
    assert read([b"retry: 1500\nretry: %b\n\n" % value]) == ([], "", 1500)


LIMIT = 1000


def feed_all(stream, size):
    parser = EventStreamParser(LIMIT)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    return [event.data for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
@pytest.mark.parametrize("lines", [1, 2, 10])
def test_an_event_is_limited_whatever_pieces_and_lines_it_comes_in(size, lines):
    fits = b"\n".join([b"x" * (LIMIT // lines - 1)] * (lines - 1) + [b"y" * (LIMIT // lines)])
    stream = fits.replace(b"\n", b"\ndata: ").join([b"data: ", b"\n\n"])
    assert len(fits) == LIMIT
    assert feed_all(stream * 3, size) == [fits] * 3
    with pytest.raises(EventTooLarge, match=str(LIMIT)):
        feed_all(stream.replace(b"y\n\n", b"yz\n\n"), size)


@pytest.mark.parametrize("endless", [b"x", b": comment", b"data: ", b"data: x\n", b"data\r\n"])
def test_a_stream_without_an_end_does_not_fill_the_memory(endless):
    with pytest.raises(EventTooLarge):
        feed_all(endless * 2 * LIMIT, len(endless))


@pytest.mark.parametrize("line", [b"data\n", b"data:xy\n"])
def test_very_many_short_lines_take_no_more_than_their_size(line):
    parser = EventStreamParser()
    count = 200_000
    tracemalloc.start()
    try:
        for _ in range(100):
            assert list(parser.feed(line * (count // 100))) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    value = line[5:-1]
    assert peak < 3 * count * (len(value) + 1) + 500_000
    (event,) = parser.feed(b"\n")
    assert event.data == b"\n".join([value] * count)
