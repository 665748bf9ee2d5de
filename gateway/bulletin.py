"""Posts what a worker is like once a second, where all workers can read it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import gevent
import msgspec
from msgspec.structs import replace

from gateway.counts import Counts
from gateway.observer import Observer
from gateway.scoreboard import Scoreboard, TooLong
from gateway.status import BEAT_S, Post

log = logging.getLogger("weir.gateway")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Post).decode


class Bulletin:
    """One worker's use of the scoreboard.

    Whoever tells of counts posts first and reads from the board, so that what was told once is
    there even if the worker is killed right after: a sum over all seats never steps back.

    Args:
        board: where all workers post.
        observer: sees this one.

    Attributes:
        seat: of this one.
    """

    def __init__(self, board: Scoreboard, observer: Observer) -> None:
        self.seat = observer.seat
        self._board = board
        self._observer = observer
        before = self._read(observer.seat)
        self._carried = Counts() if before is None else before.status.counts + before.carried

    def run(self) -> None:
        """Post for ever; a greenlet of its own."""
        while True:
            self.post()
            gevent.sleep(BEAT_S)

    def post(self) -> None:
        """Look at the worker, and post it; of its readers as many as there is room for."""
        post = Post(time.monotonic(), self._observer.look(), self._carried)
        while not self._posted(post):
            laggards = post.status.laggards
            if not laggards:
                log.error("the status of this worker is too long to be posted")
                return
            fewer = replace(post.status, laggards=laggards[: len(laggards) // 2])
            post = replace(post, status=fewer)

    def workers(self) -> list[Post]:
        """Return what each worker that lives said last."""
        seats = filter(self._board.occupied, range(len(self._board)))
        return [post for post in map(self._read, seats) if post is not None]

    def counted(self) -> Counts:
        """Return what was counted by all workers, those that are gone included."""
        return sum(self._counts(), Counts())

    def _counts(self) -> Iterator[Counts]:
        for post in map(self._read, range(len(self._board))):
            if post is not None:
                yield post.status.counts
                yield post.carried

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
            # A worker of another version, before or after a reload, may count other things.
            log.debug("seat %d of the scoreboard cannot be read: %s", seat, error)
            return None
