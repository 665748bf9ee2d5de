"""The command channel over Redis: one list for each end, with the interface of a `Link`.

An answer or a command that is taken from its list just before a process ends is lost. Then the
request misses its deadline, as it does on every other bus.
"""

from __future__ import annotations

import logging

import gevent
from gevent.lock import BoundedSemaphore

from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.client import BLOCK_S, RedisFailed, connect, words
from bus.redis.keys import answers_of, commands_of

log = logging.getLogger("weir.bus")

_KEPT_MS = 60_000
_PAUSE_S = 0.5
_PEER_BYTES = 2
_MOST_SENDERS = 8
"""How many connections send at once; a burst of commands waits instead of opening more."""


class QueueLink:
    """One end of the command channel.

    Args:
        address: of Redis.
        login: at Redis.
        own: the key of the list from which this end receives.
    """

    def __init__(self, address: RedisAddress, login: RedisLogin, own: str) -> None:
        self._own = own
        self._senders = BoundedSemaphore(_MOST_SENDERS)
        self._sending = connect(address, login)
        self._receiving = connect(address, login)

    def push(self, key: str, data: bytes) -> bool:
        """Add a message to a list; return whether Redis has it."""
        try:
            with self._senders, self._sending.pipeline(transaction=True) as pipe:
                pipe.rpush(key, data)
                pipe.pexpire(key, _KEPT_MS)
                pipe.execute()
        except RedisFailed as error:
            log.warning("a message of %d bytes was not sent: %s", len(data), words(error))
            return False
        return True

    def pop(self) -> bytes:
        """Return the next message for this end; other greenlets run while there is none."""
        while True:
            try:
                found = self._receiving.blpop([self._own], timeout=BLOCK_S)
            except RedisFailed:
                gevent.sleep(_PAUSE_S)
                continue
            if found is not None:
                return bytes(found[1])


class ServerLink(QueueLink):
    """The processor's end; a command begins with the name of the bridge that sends it."""

    def __init__(self, address: RedisAddress, login: RedisLogin, source: str) -> None:
        super().__init__(address, login, commands_of(source))

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send an answer to a bridge."""
        return self.push(answers_of(peer.decode("ascii", "replace")), data)

    def receive(self) -> list[bytes]:
        """Return the sender of the next command, and the command."""
        message = self.pop()
        size = int.from_bytes(message[:_PEER_BYTES])
        return [message[_PEER_BYTES : _PEER_BYTES + size], message[_PEER_BYTES + size :]]


class ClientLink(QueueLink):
    """A bridge's end for the commands to one source.

    Args:
        name: of the bridge and the source, so that answers come to this link only.
        source: which gets the commands.
    """

    def __init__(self, address: RedisAddress, login: RedisLogin, name: str, source: str) -> None:
        super().__init__(address, login, answers_of(name))
        self._to = commands_of(source)
        peer = name.encode()
        self._head = len(peer).to_bytes(_PEER_BYTES) + peer

    def send(self, data: bytes) -> bool:
        """Send a command."""
        return self.push(self._to, self._head + data)

    def receive(self) -> list[bytes]:
        """Return the next answer."""
        return [self.pop()]
