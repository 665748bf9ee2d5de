"""Posts a worker's status once a second where all workers can read it."""

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
    """Access of one worker to the scoreboard.

    A worker that reports counters first posts its own and then reads the board. So reported
    counters stay on the board even if the worker is killed right after: sums never decrease.

    Args:
        board: where all workers post.
        observer: collects this worker's figures.

    Attributes:
        seat: of this worker.
        left_open: streams that the previous worker at this seat had open when it was killed, as
            far as it had posted them.
    """

    def __init__(self, board: Scoreboard, observer: Observer) -> None:
        self.seat = observer.seat
        self._board = board
        self._observer = observer
        self._carried = self._counted_at(observer.seat, gone=True)
        before = self._read(observer.seat)
        self.left_open = before.status.laggards if before else []

    def run(self) -> None:
        """Post for ever, in a greenlet of its own."""
        while True:
            self.post()
            gevent.sleep(BEAT_S)

    def post(self) -> None:
        """Collect this worker's figures and post them, with as many readers as fit."""
        post = Post(time.monotonic(), self._observer.look(), self._carried)
        while not self._posted(post):
            laggards = post.status.laggards
            if not laggards:
                log.error("the status of this worker is too long to be posted")
                return
            fewer = replace(post.status, laggards=laggards[: len(laggards) // 2])
            post = replace(post, status=fewer)

    def workers(self) -> list[Post]:
        """Return the last post of each living worker."""
        seats = filter(self._board.occupied, range(len(self._board)))
        return [post for post in map(self._read, seats) if post is not None]

    def origins(self) -> set[str]:
        """Return the origins that the upstream allows, as far as any worker knows."""
        return {origin for post in self.workers() for origin in post.status.origins}

    def counted(self) -> Counts:
        """Return the counters of all workers together, including ended ones."""
        seats = range(len(self._board))
        gone = (not self._board.occupied(seat) for seat in seats)
        return sum(map(self._counted_at, seats, gone), Counts())

    def _counted_at(self, seat: int, gone: bool) -> Counts:
        """Return the counters of a seat; streams that an ended worker left open count as ended."""
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
            # A worker of another version, before or after a reload, may have other counters.
            log.debug("seat %d of the scoreboard cannot be read: %s", seat, error)
            return None
