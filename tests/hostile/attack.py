"""What an attack is, and what it is given."""

import contextlib
import importlib
import pkgutil
import random
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from tests.hostile import attacks
from tests.http_client import Reply, call

NATIVE, RELAY = "native", "relay"
OPENCODE = "tests.faults.upstream"
"""The upstream of relay mode: a server of sessions that plays scripts."""

_CONNECT_S = 60.0
_BURST, _BURST_S = 50, 0.025
_TAKEN_IN_S = 120.0


class Site:
    """The weir under attack, as the attacking process knows it.

    Attributes:
        url: where weir listens.
        state: the state folder of weir; the bus is in ``bus`` there.
        random: seeded; the only source of chance an attack may use.
        wrong: what the attack itself has found wrong, in words.
        note: what the attack wants to have in the table, a few words.
    """

    def __init__(self, url: str, state: str, seed: int, seconds: float) -> None:
        self.url = url
        self.state = state
        self.random = random.Random(seed)
        self.wrong: list[str] = []
        self.note = ""
        self.on_begin: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self._seconds = seconds
        self._until = 0.0
        self._address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)

    def begin(self) -> None:
        """Say that the load stands: weir is measured from now on."""
        self._until = time.monotonic() + self._seconds
        self.on_begin()

    def goes_on(self) -> bool:
        """Tell whether the attack has time left; an attack ends by itself."""
        if left := time.monotonic() < self._until:
            return left
        self.end()
        return False

    def end(self) -> None:
        """Say that the attack is over: what it closes from now on is not measured."""
        on_end, self.on_end = self.on_end, lambda: None
        on_end()

    def hold(self, pause_s: float = 0.05) -> Iterator[None]:
        """Yield until the time is over, with a pause after each turn."""
        while self.goes_on():
            yield
            time.sleep(pause_s)

    def crowd(
        self, count: int, first_words: bytes = b"", window_bytes: int = 0
    ) -> list[socket.socket]:
        """Open connections, a thousand or two a second, and say something on each.

        It returns when weir has taken all of them in: before, they stand in the listening socket.
        `window_bytes` is the receive buffer of each; 0 leaves it to the kernel.
        """
        opened = []
        for number in range(count):
            with contextlib.suppress(OSError):
                opened.append(self.connect(window_bytes=window_bytes))
                opened[-1].sendall(first_words)
            if number % _BURST == 0:
                time.sleep(_BURST_S)
        self.ask("GET", "/weir/livez", timeout_s=_TAKEN_IN_S)
        return opened

    def connect(self, timeout_s: float = _CONNECT_S, window_bytes: int = 0) -> socket.socket:
        """Return a new connection."""
        if not window_bytes:
            return socket.create_connection(self._address, timeout_s)
        sock = socket.socket()
        sock.settimeout(timeout_s)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        sock.connect(self._address)
        return sock

    def ask(self, method: str, path: str, body: Any = None, **how: Any) -> Reply:
        """Send an ordinary request."""
        return call(method, self.url + path, body, **how)


class Attack(Struct, frozen=True):
    """An attack.

    Attributes:
        load: what it does, for the table; ``{n}`` is its size.
        run: does it. It gets the site and a size, calls `Site.begin` once the load stands, goes on
            while `Site.goes_on`, and gives everything back.
        full: its size.
        small: its size in the tests; 0: it is no part of the tests.
        usual: its size where there is no quarter of an hour for all attacks; 0: the full size.
        modes: in front of which server it is run.
        upstream: the module that is the upstream in relay mode. As a process the module prints
            its URL as one line of JSON, and ends with its standard input.
        memory_mb: how much more memory weir may use meanwhile, at most.
        kept_mb: how much of that weir may keep, for the history of its streams.
        flags: further flags of weir.
        most_ratio: how many times slower health and readers may be than before.
    """

    load: str
    run: Callable[[Site, int], None]
    full: int
    small: int
    usual: int = 0
    modes: tuple[str, ...] = (NATIVE, RELAY)
    upstream: str = OPENCODE
    memory_mb: float = 150.0
    kept_mb: float = 0.0
    flags: tuple[str, ...] = ()
    most_ratio: float = 3.0


class Run(NamedTuple):
    """An attack in one mode.

    Attributes:
        needs: mode, upstream and flags of the weir; attacks with the same needs share one.
    """

    needs: tuple[str, ...]
    name: str
    attack: Attack

    def __str__(self) -> str:
        return f"{self.name}-{self.needs[0]}"


def find(name: str) -> Attack:
    """Return the attack of a module's name."""
    found: Attack = importlib.import_module(f"{attacks.__name__}.{name}").ATTACK
    return found


def runs(*chosen: str) -> list[Run]:
    """Return the attacks of these names, or all, in each of their modes, by what they need."""
    names = chosen or [module.name for module in pkgutil.iter_modules(attacks.__path__)]
    found = [
        Run((mode, attack.upstream, *attack.flags), name, attack)
        for name, attack in ((name, find(name)) for name in names)
        for mode in attack.modes
    ]
    return sorted(found, key=lambda run: run[:2])


def runs_by_turns() -> list[Run]:
    """Return each attack once, in the first of its modes or the next by turns."""
    by_name: dict[str, list[Run]] = {}
    for run in filter(lambda run: run.attack.small, runs()):
        by_name.setdefault(run.name, []).append(run)
    chosen = [some[turn % len(some)] for turn, (_, some) in enumerate(sorted(by_name.items()))]
    return sorted(chosen, key=lambda run: run[:2])


def hold_streams(site: Site, heads: Iterable[str]) -> None:
    """Open an event stream by each of the heads, and read none of them while the attack lasts."""
    opened = []
    for head in heads:
        sock = site.connect()
        sock.sendall(head.encode())
        if not sock.recv(12).endswith(b"200"):
            site.wrong.append("a stream is refused")
        opened.append(sock)
    site.begin()
    for _ in site.hold():
        pass
    site.end()
    for sock in opened:
        reset(sock)


def reset(sock: socket.socket) -> None:
    """Close a connection so that neither side keeps a trace of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
