import contextlib
import os

import pytest

from processor.tools import clip
from processor.tools.spool import Spool, cut
from processor.tools.threads import Threads


def text_of(spool, session, output):
    number = spool.open(session, output)
    if number is None:
        return None
    with open(number) as file:
        return file.read()


def test_a_long_text_keeps_its_two_ends_and_the_whole_can_be_opened(spool):
    text = "".join(f"é{n}\n" for n in range(20_000))
    shown, metadata = cut(text, spool, "ses_1")
    assert shown.startswith("é0\né1\n")
    assert shown.endswith("é19999\n")
    assert len(shown.encode()) < clip.MOST_BYTES
    assert text_of(spool, "ses_1", metadata["outputID"]) == text
    assert metadata["outputPath"] in shown
    assert os.stat(metadata["outputPath"]).st_mode & 0o077 == 0


def test_a_text_that_fits_is_not_touched(spool, state):
    text = "é" * (clip.MOST_BYTES // 2)
    assert cut(text, spool, "ses_1") == (text, {"truncated": False})
    assert cut(text + "x", spool, "ses_1")[1]["truncated"]


@pytest.mark.parametrize("name", ["../weir.db", "x", "", "tool_0000000000000000_00000000000g"])
def test_no_other_file_can_be_opened(spool, name):
    file = spool.keep("ses_1", b"hello")
    assert text_of(spool, "ses_1", file.id) == "hello"
    assert spool.open("ses_1", name) is None
    assert spool.open("ses_2", file.id) is None
    assert spool.open("../spool/ses_1", file.id) is None


def test_a_link_in_the_spool_is_not_followed(spool, state):
    file = spool.keep("ses_1", b"hello")
    (state / "secret").write_text("secret")
    os.unlink(file.path)
    os.symlink(state / "secret", file.path)
    assert spool.open("ses_1", file.id) is None


def test_a_session_that_is_deleted_takes_its_output_along(spool):
    first, second = spool.keep("ses_1", b"hello"), spool.keep("ses_2", b"world")
    spool.remove("ses_1")
    spool.remove("../ses_2")
    assert spool.open("ses_1", first.id) is None
    assert text_of(spool, "ses_2", second.id) == "world"


def test_the_oldest_output_goes_first_past_the_quota(state):
    spool = Spool(state, 1000, Threads())
    files = [spool.keep(f"ses_{n % 2}", b"x" * 400) for n in range(4)]
    kept = [text_of(spool, f"ses_{n % 2}", file.id) is not None for n, file in enumerate(files)]
    assert kept == [False, False, True, True]


def test_files_that_are_written_at_once_share_the_quota(state):
    spool = Spool(state, 1000, Threads())
    with spool.file("ses_1") as first, spool.file("ses_1") as second:
        assert (first.most, second.most) == (500, 250)
    with spool.file("ses_1") as third:
        assert third.most == 500


def test_commands_that_write_no_file_remove_no_output(state):
    spool = Spool(state, 6400, Threads())
    kept = spool.keep("ses_1", b"x" * 1000)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(spool.file("ses_2")) for _ in range(40)]
        assert min(file.most for file in files) == 100
        assert text_of(spool, "ses_1", kept.id) == "x" * 1000
    assert text_of(spool, "ses_1", kept.id) == "x" * 1000


def test_a_file_that_has_just_been_written_is_not_removed_for_a_later_one(state):
    spool = Spool(state, 1000, Threads())
    with spool.file("ses_1") as slow:
        later = spool.keep("ses_1", b"x" * 250)
        fresh = [spool.keep("ses_1", b"x" * 250) for _ in range(3)][-1]
        with open(slow.path, "w") as file:
            file.write("y" * slow.most)
    assert text_of(spool, "ses_1", slow.id) == "y" * 500
    assert text_of(spool, "ses_1", fresh.id) is not None
    assert text_of(spool, "ses_1", later.id) is None


def test_a_folder_that_cannot_be_made_costs_the_whole_but_not_the_two_ends(tmp_path):
    (tmp_path / "spool").write_text("in the way")
    shown, metadata = cut("x" * 100_000, Spool(tmp_path, 1000, Threads()), "ses_1")
    assert "The whole could not be saved" in shown
    assert metadata == {"truncated": True}


def test_a_file_is_read_in_pieces(spool):
    file = spool.keep("ses_1", b"hello")
    assert file.pointer()["outputURL"] == f"/weir/session/ses_1/output/{file.id}"
    assert spool.read("ses_1", file.id, 1, 3) == b"ell"
    assert spool.read("ses_1", file.id, 5, 3) == b""
    assert spool.read("ses_2", file.id, 0, 3) is None


def test_a_shared_file_lives_as_long_as_one_session_and_counts_once(state):
    spool = Spool(state, 2000, Threads())
    spool.share("ses_1", "ses_2")  # a session without output
    shared = spool.keep("ses_1", b"x" * 1000)
    spool.share("ses_1", "ses_2")
    later = spool.keep("ses_1", b"y" * 900)
    spool.remove("ses_1")
    assert text_of(spool, "ses_1", later.id) is None
    assert text_of(spool, "ses_2", shared.id) == "x" * 1000
    spool.share("ses_2", "ses_3")
    for _ in range(2):
        spool.keep("ses_1", b"y" * 900)
    assert [text_of(spool, f"ses_{n}", shared.id) for n in (2, 3)] == [None, None]
