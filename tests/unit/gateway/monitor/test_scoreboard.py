"""The scoreboard: what one process posts, every other one reads, whole."""

import os
import signal
import traceback
from contextlib import contextmanager

import pytest

from gateway.monitor.scoreboard import Scoreboard, TooLong
from tests.processes import wait_until


@contextmanager
def forked(work):
    """Run `work` in a forked process for the time of a ``with`` block."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_an_empty_seat_says_nothing_and_nobody_sits_there():
    board = Scoreboard(3, 64)
    assert [board.read(seat) for seat in range(len(board))] == [b""] * 3
    assert not any(map(board.occupied, range(3)))


def test_the_last_post_of_each_seat_counts():
    board = Scoreboard(3, 64)
    board.post(1, 10, b"a longer one")
    board.post(2, 11, b"two")
    board.post(1, 10, b"one")
    assert [board.read(seat) for seat in range(3)] == [b"", b"one", b"two"]
    assert [board.occupied(seat) for seat in range(3)] == [False, True, True]


def test_what_a_worker_said_stays_when_it_is_gone():
    board = Scoreboard(1, 64)
    board.post(0, 10, b"last words")
    board.vacate(0)
    assert board.read(0) == b"last words"
    assert board.occupied(0) is False
    board.post(0, 12, b"first words")
    assert board.occupied(0) is True


def test_a_new_worker_is_never_seen_with_what_the_one_before_it_said(monkeypatch):
    board = Scoreboard(1, 64)
    board.post(0, 10, b"old")
    board.vacate(0)
    words, seen = board._words, []

    class Steps:
        """Each write to the memory, and what another process reads right after it."""

        def __getitem__(self, place):
            return words[place]

        def __setitem__(self, place, value):
            words[place] = value
            seen.append((board.occupied(0), board.read(0)))

    monkeypatch.setattr(board, "_words", Steps())
    board.post(0, 12, b"new")
    assert (True, b"old") not in seen
    assert seen[-1] == (True, b"new")


def test_too_much_is_refused_and_what_was_there_stays():
    board = Scoreboard(2, 64)
    board.post(0, 10, b"x" * 64)
    with pytest.raises(TooLong):
        board.post(0, 10, b"y" * 65)
    assert board.read(0) == b"x" * 64
    assert board.read(1) == b""


def test_another_process_reads_what_was_posted_and_never_a_mixture():
    board = Scoreboard(1, 8192)

    def post_for_ever():
        while True:
            for letter in b"abcdefgh":
                board.post(0, 10, bytes([letter]) * (8192 - letter))

    with forked(post_for_ever):
        seen = set()

        def all_seen():
            data = board.read(0)
            if data:
                assert data == data[:1] * (8192 - data[0])
                seen.add(data[0])
            return len(seen) == 8

        wait_until(all_seen, what="posts of all kinds")


def test_a_worker_killed_while_it_writes_leaves_its_last_post():
    board = Scoreboard(1, 1 << 20)
    board.post(0, 10, b"a" * (1 << 20))

    def post_for_ever():
        while True:
            board.post(0, 11, b"b" * (1 << 20))
            board.post(0, 11, b"c" * (1 << 20))

    for _ in range(20):
        with forked(post_for_ever):
            wait_until(lambda: board.read(0)[:1] in (b"b", b"c"))
        assert len(set(board.read(0))) == 1
