"""The law of text in flight: whatever fails, and whenever the end comes, a prefix is saved."""

from hypothesis import given
from hypothesis import strategies as st

from processor.store.chunks import Chunk
from processor.store.drafts import Drafts

PARTS = ("prt_a", "prt_b")


class Disk:
    """Keeps chunks as the table does; a write may fail, before or after it took effect."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], str] = {}
        self.outcome = "good"

    def write(self, chunks: list[Chunk]) -> None:
        if self.outcome == "lost":
            raise OSError
        for part, position, text in chunks:
            self.rows[part, position] = text
        if self.outcome == "unheard":
            raise OSError

    def text(self, part: str) -> str:
        return "".join(text for (p, _), text in sorted(self.rows.items()) if p == part)


steps = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(PARTS), st.lists(st.text(max_size=3), max_size=3)),
    st.tuples(st.just("flush"), st.sampled_from(["good", "lost", "unheard"]), st.none()),
)


@given(st.lists(steps, max_size=30))
def test_what_is_saved_is_a_prefix_and_all_of_it_after_a_good_flush(
    history: list[tuple[str, str, list[str]]],
) -> None:
    disk = Disk()
    drafts = Drafts(disk.write)
    told = dict.fromkeys(PARTS, "")
    for step, where, deltas in history:
        if step == "add":
            drafts.add(where, deltas)
            told[where] += "".join(deltas)
            continue
        disk.outcome = where
        try:
            drafts.flush()
        except OSError:
            assert where != "good"
        for part in PARTS:
            assert told[part].startswith(disk.text(part))
            assert where != "good" or disk.text(part) == told[part]
    for part in PARTS:
        assert drafts.close(part) == told[part]


def test_a_closed_part_is_written_no_more() -> None:
    disk = Disk()
    drafts = Drafts(disk.write)
    drafts.add("prt_a", ["text"])
    assert drafts.close("prt_a") == "text"
    drafts.flush()
    assert disk.rows == {}


def test_what_arrives_during_a_write_is_in_the_next() -> None:
    rows: list[Chunk] = []

    def write(chunks: list[Chunk]) -> None:
        rows.extend(chunks)
        drafts.add("prt_a", ["two "] if len(rows) == 1 else [])

    drafts = Drafts(write)
    drafts.add("prt_a", ["one "])
    drafts.flush()
    drafts.flush()
    assert rows == [("prt_a", 0, "one "), ("prt_a", 1, "two ")]
    assert drafts.close("prt_a") == "one two "


def test_only_what_is_new_is_written() -> None:
    disk = Disk()
    drafts = Drafts(disk.write)
    for delta in ("one ", "two "):
        drafts.add("prt_a", [delta])
        drafts.flush()
    drafts.flush()
    assert disk.rows == {("prt_a", 0): "one ", ("prt_a", 1): "two "}
