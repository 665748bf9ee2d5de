"""A network namespace at the end of a cable (veth) that can be cut without a word."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
# RFC 2544 sets this range aside for tests; each process has four addresses of it.
_RANGE = ip_network("198.18.0.0/15")


class NoNamespace(Exception):
    """This machine or this user can make none."""


class Namespace:
    """The far end of the cable.

    Attributes:
        here: address of this machine as it is seen there.
    """

    def __init__(self, name: str, here: str) -> None:
        self.here = here
        self._name = name

    def run(self, work: Callable[[], T]) -> T:
        """Return what `work` does there; sockets that it makes stay there."""
        done: list[T] = []

        def there() -> None:
            with Path("/run/netns", self._name).open() as netns:
                if ctypes.CDLL(None, use_errno=True).setns(netns.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            done.append(work())

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        return done[0]

    def vanish(self) -> None:
        """Say nothing more: what is sent arrives, but nothing comes back."""
        _ip("-n", self._name, "route", "add", "blackhole", f"{self.here}/32")

    def come_back(self) -> None:
        """Take it back: what is sent from now on is answered."""
        _ip("-n", self._name, "route", "del", "blackhole", f"{self.here}/32")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace for the time of a ``with`` block.

    Raises:
        NoNamespace: there can be none.
    """
    name, cable = f"weir-{os.getpid()}", f"weir{os.getpid() % 100000}"
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoNamespace(f"`ip netns add` fails: {error}") from error
    try:
        here, there = _addresses()
        with _cable(cable, name, here, there):
            yield Namespace(name, here)
    finally:
        _ip("netns", "del", name)


def _addresses() -> tuple[str, str]:
    """Return two addresses that no other process uses."""
    first = _RANGE.network_address + os.getpid() * 4 % _RANGE.num_addresses
    return str(first + 1), str(first + 2)


@contextmanager
def _cable(cable: str, name: str, here: str, there: str) -> Iterator[None]:
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "weir0", "netns", name)
    except subprocess.CalledProcessError as error:
        raise NoNamespace(f"no cable into it: {error.stderr}") from error
    try:
        _ip("addr", "add", f"{here}/30", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip("-n", name, "addr", "add", f"{there}/30", "dev", "weir0")
        _ip("-n", name, "link", "set", "weir0", "up")
        yield
    finally:
        # By itself it would go with the namespace, which lives as long as a socket there.
        _ip("link", "del", cable)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
