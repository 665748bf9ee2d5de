"""Counts failed logins by address: the more of them, the later the next answer. No I/O."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

FREE = 3
"""How many wrong passwords from an address are answered without a delay."""
LONGEST_S = 1.0
_FIRST_S = 0.1
_FORGOTTEN_AFTER_S = 60.0
_MOST_WAIT = 4
_MOST_ADDRESSES = 4096


class _Record(Struct):
    guesses: int = 0
    at: float = -math.inf
    waiting: int = 0


class FailedLogins:
    """The failed logins of each address; they are forgotten after a minute without another.

    Args:
        clock: returns the time in seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def barred(self, address: str) -> bool:
        """Return whether so many answers to this address wait that no password is checked now."""
        record = self._records.get(_host(address))
        return record is not None and record.waiting >= _MOST_WAIT

    def note(self, address: str, is_guess: bool = True) -> tuple[float, bool]:
        """Count a failed login.

        Args:
            address: the client's address.
            is_guess: the login may be a guess at a password; only guesses delay the answer.

        Returns:
            How many seconds the answer has to wait, and whether to log the failure (the first of
            an address within a minute).
        """
        address = _host(address)
        record = self._records.pop(address, None) or _Record()
        now = self._clock()
        is_first = now - record.at > _FORGOTTEN_AFTER_S
        if is_first:
            record.guesses = 0
        record.guesses, record.at = record.guesses + is_guess, now
        self._records[address] = record
        while len(self._records) > _MOST_ADDRESSES:
            self._records.popitem(last=False)
        if not is_guess or record.guesses <= FREE:
            return 0.0, is_first
        doublings = min(record.guesses - FREE - 1, 10)
        return min(_FIRST_S * 2**doublings, LONGEST_S), is_first

    def begin_wait(self, address: str) -> None:
        """Count one more delayed answer to an address."""
        self._records.setdefault(_host(address), _Record()).waiting += 1

    def end_wait(self, address: str) -> None:
        """Count one delayed answer to an address less."""
        record = self._records.get(_host(address))
        if record is not None and record.waiting:
            record.waiting -= 1


def _host(address: str) -> str:
    """Return the address; of IPv6 only the first 64 bits, since a host chooses the other bits."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:
        return address
