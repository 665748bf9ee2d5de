"""Writes a worker's status once a second into memory that all workers can read."""

from __future__ import annotations

import logging
import os
import time

import gevent
import msgspec
from msgspec.structs import replace

from gateway.monitor.observer import Observer
from gateway.monitor.scoreboard import Scoreboard, TooLong
from gateway.monitor.status import BEAT_S, Post
from gateway.streams.counts import Counts
from gateway.streams.evictions import Cause

log = logging.getLogger("weir.gateway")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Post).decode


class Bulletin:
    """Posts the status of one worker on the scoreboard, and reads the posts of all workers.

    Before counters are reported to a client, this worker posts its own counters, and then reads
    the board. So reported counters stay on the board even if the worker is killed right after, and
    the reported sums never decrease.

    Args:
        board: the shared memory in which all workers post.
        observer: collects this worker's figures.

    Attributes:
        seat: the number of this worker.
        left_open: the event streams of the previous worker with this number, if it was killed, as
            far as its last post lists them.
    """

    def __init__(self, board: Scoreboard, observer: Observer) -> None:
        self.seat = observer.seat
        self._board = board
        self._observer = observer
        self._carried = self._counted_at(observer.seat, gone=True)
        before = self._read(observer.seat)
        self.left_open = before.status.laggards if before else []

    def run(self) -> None:
        """Post the status once a second, for ever; needs a greenlet of its own."""
        while True:
            self.post()
            gevent.sleep(BEAT_S)

    def post(self) -> None:
        """Collect this worker's status and post it, with as many event streams as fit."""
        post = Post(time.monotonic(), self._observer.look(), self._carried)
        while not self._posted(post):
            laggards = post.status.laggards
            if not laggards:
                log.error("/weir/status has no new status of worker %d: it is too long", self.seat)
                return
            fewer = replace(post.status, laggards=laggards[: len(laggards) // 2])
            post = replace(post, status=fewer)

    def workers(self) -> list[Post]:
        """Return the latest status that each running worker has posted."""
        seats = filter(self._board.occupied, range(len(self._board)))
        return [post for post in map(self._read, seats) if post is not None]

    def origins(self) -> set[str]:
        """Return the origins that the upstream allows, as far as any worker knows."""
        return {origin for post in self.workers() for origin in post.status.origins}

    def counted(self) -> Counts:
        """Return the sums of the counters of all workers, including workers that have ended."""
        seats = range(len(self._board))
        gone = (not self._board.occupied(seat) for seat in seats)
        return sum(map(self._counted_at, seats, gone), Counts())

    def _counted_at(self, seat: int, gone: bool) -> Counts:
        """Return the counters of all workers that had a seat, up to the latest.

        Args:
            seat: the number of the workers.
            gone: no worker has this number now: the streams that were open at its last post count
                as ended, with the cause `KILLED`.
        """
        post = self._read(seat)
        if post is None:
            return Counts()
        left = Counts(evictions={Cause.KILLED.value: post.status.readers if gone else 0})
        return post.status.counts + post.carried + left

    def _posted(self, post: Post) -> bool:
        try:
            self._board.post(self._observer.seat, os.getpid(), _encode(post))
        except TooLong:
            return False
        return True

    def _read(self, seat: int) -> Post | None:
        data = self._board.read(seat)
        try:
            return _decode(data) if data else None
        except msgspec.MsgspecError as error:
            # Around a reload, a worker of another weir version may have posted other fields.
            log.debug("the status of worker %d cannot be decoded: %s", seat, error)
            return None
