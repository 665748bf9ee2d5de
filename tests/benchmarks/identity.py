"""``python -m tests.benchmarks.identity``: what JWTs and scopes cost, through a whole weir.

A request over a connection that is kept, and the opening of a stream, at a weir with an issuer of
JWTs and at one without, in turns. Then a storm to readers with a token of one folder, and to
readers with a token of everything, in turns at one weir.
"""

import argparse
import http.client
import json
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from deploy.bench.table import table
from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.benchmarks import machine
from tests.benchmarks.child import ended_by_sigterm
from tests.blackbox.weir_up import weir_up
from tests.unit.gateway.access.people.issuer import AUDIENCE, NAME, jwk_of, jwks, rsa_key, token

DEADLINE_S = 120.0
STORM_TARGET = 1.1
WHERE = "/srv/demo/measured"
_WARM_UP = 50
_READ_BYTES = 1 << 18
_END = b'"type":"session.idle"'
_SIZE = 40


def main() -> int:
    """Measure, print the tables, and return 1 if scopes make a storm too slow."""
    options = _options()
    ended_by_sigterm()
    print(f"{machine.described()}; {options.rounds} rounds\n", flush=True)
    with ExitStack() as stack:
        ways = [stack.enter_context(_plain()), *stack.enter_context(_people())]
        print(_table(_requests(ways, options)), flush=True)
    ratio = _storms(options)
    print(f"scoped / unscoped: {ratio:.2f}, to reach: {STORM_TARGET} or less")
    return 0 if ratio <= STORM_TARGET else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="cost of JWTs and of scopes")
    parser.add_argument("--requests", type=int, default=1000, help="of each kind in a round")
    parser.add_argument("--streams", type=int, default=200, help="opened in a round")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--deltas", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


class Way:
    """One weir, and how it is asked.

    Attributes:
        name: of the row.
        netloc: where it listens.
        headers: of each request.
    """

    def __init__(self, name: str, url: str, secret: str = "") -> None:
        self.name = name
        self.netloc = urlsplit(url).netloc
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection."""
        return http.client.HTTPConnection(self.netloc, timeout=DEADLINE_S)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Return the body of an answer; the path gets the directory."""
        connection = self.connect()
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"{path}?directory={quote(WHERE)}", sent, self.headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status} {data.decode()}")
        return data

    def requests_ms(self, count: int) -> list[float]:
        """Return how long each of some small requests took, over one connection."""
        connection, took = self.connect(), []
        for _ in range(count):
            began = time.perf_counter()
            connection.request("GET", f"/session/status?directory={WHERE}", headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status == 200, answer.status
        connection.close()
        return took

    def openings_ms(self, count: int) -> list[float]:
        """Return how long each of some streams took to its first bytes."""
        took = []
        for _ in range(count):
            began = time.perf_counter()
            with self.stream() as opened:
                opened.recv(_READ_BYTES)
                took.append((time.perf_counter() - began) * 1000)
        return took

    def stream(self) -> socket.socket:
        """Open a stream, and return its socket."""
        host, port = self.netloc.split(":")
        opened = socket.create_connection((host, int(port)), DEADLINE_S)
        lines = [f"GET /event?directory={WHERE} HTTP/1.1", f"Host: {self.netloc}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        return opened


@contextmanager
def _plain() -> Iterator[Way]:
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, weir_up(Path(folder)) as up:
        yield _ready(Way("without an identity", up.url))


@contextmanager
def _people() -> Iterator[list[Way]]:
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = Path(name)
        (folder / "keys.json").write_bytes(jwks(jwk_of(rsa_key("k1"), "k1")))
        issuer = {"issuer": NAME, "audience": AUDIENCE, "jwks": str(folder / "keys.json")}
        folders = {"action": "write", "directories": [f"{WHERE}/**"]}
        grants = {"alice": [{"action": "write"}], "bob": [folders]}
        identities = folder / "identities.json"
        identities.write_text(json.dumps({"issuers": [issuer], "users": grants}))
        identities.chmod(0o600)
        now = int(time.time())
        alice, bob = (token(rsa_key("k1"), exp=now + 3600, iat=now, sub=name) for name in grants)
        with weir_up(folder, "--identities", str(identities)) as up:
            anywhere = _ready(Way("with a JWT of every folder", up.url, alice))
            yield [anywhere, _ready(Way("with a JWT of one folder", up.url, bob))]


def _ready(way: Way) -> Way:
    """Make a session, which needs the processor, and make both workers warm."""
    way.ask("POST", "/session", {})
    for _ in range(4):
        way.requests_ms(_WARM_UP)
        way.openings_ms(_WARM_UP // 10)
    return way


Figures = dict[str, tuple[list[float], list[float]]]


def _requests(ways: list[Way], options: argparse.Namespace) -> Figures:
    found: Figures = {way.name: ([], []) for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            found[way.name][0].extend(way.requests_ms(options.requests))
            found[way.name][1].extend(way.openings_ms(options.streams))
    return found


def _table(found: Figures) -> str:
    head = ["", "request p50 ms", "p99 ms", "stream opens p50 ms", "p99 ms"]
    rows = [
        [name, *(f"{figure:.2f}" for took in lists for figure in _p50_p99(took))]
        for name, lists in found.items()
    ]
    return table(head, rows) + "\n"


def _p50_p99(took: list[float]) -> tuple[float, float]:
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def _storms(options: argparse.Namespace) -> float:
    """Return how much longer a storm takes to readers with a scope; print each time."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = Path(name)
        (folder / "state").mkdir(mode=0o700)
        file = TokenFile(folder / "state")
        scoped = file.add("scoped", Action.WRITE, None, (f"{WHERE}/**",))[0]
        unscoped = file.add("unscoped", Action.WRITE, None, ())[0]
        took: dict[str, list[float]] = {"unscoped": [], "scoped": []}
        with weir_up(folder) as up:
            ways = [
                Way(kind, up.url, {"scoped": scoped, "unscoped": unscoped}[kind]) for kind in took
            ]
            for way in ways:
                _storm_s(_ready(way), options.readers, options.deltas)  # warms up
            for _ in range(options.rounds):
                for way in ways:
                    took[way.name].append(_storm_s(way, options.readers, options.deltas))
    for kind, times in took.items():
        print(
            f"storm to {options.readers} {kind} readers, s: {', '.join(f'{t:.2f}' for t in times)}"
        )
    return statistics.median(took["scoped"]) / statistics.median(took["unscoped"])


def _storm_s(way: Way, readers: int, deltas: int) -> float:
    """Return the seconds from a prompt to the moment when each reader has the end of the turn."""
    session = json.loads(way.ask("POST", "/session", {}))["id"]
    with selectors.DefaultSelector() as selector:
        for _ in range(readers):
            opened = way.stream()
            opened.recv(_READ_BYTES)
            selector.register(opened, selectors.EVENT_READ, Reader())
        prompt = {"parts": [{"type": "text", "text": f"storm {deltas} {_SIZE}"}]}
        began = time.perf_counter()
        way.ask("POST", f"/session/{session}/prompt_async", prompt)
        while selector.get_map():
            for key, _ in selector.select(DEADLINE_S):
                _read(selector, key, deltas * _SIZE)
        return time.perf_counter() - began


class Reader:
    """What was read of a stream: the last bytes, and how many in all."""

    def __init__(self) -> None:
        self.tail, self.count = b"", 0


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey, least: int) -> None:
    """Read what is there; leave the stream once the turn has ended, with `least` bytes of it."""
    assert isinstance(key.fileobj, socket.socket)
    reader: Reader = key.data
    data = key.fileobj.recv(_READ_BYTES)
    reader.count += len(data)
    # The end may be cut in two by the reads.
    said = reader.tail + data
    reader.tail = said[-len(_END) :]
    if _END not in said and data:
        return
    if reader.count < least:
        raise RuntimeError(f"a stream has ended after {reader.count} bytes")
    selector.unregister(key.fileobj)
    key.fileobj.close()


if __name__ == "__main__":
    sys.exit(main())
