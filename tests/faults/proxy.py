"""The fault proxy: ``python -m tests.faults.proxy HOST:PORT --seed N --lanes N``.

TCP in, TCP out. Each lane has a port of its own, and each of its connections the fault that
`tests.faults.fault` has for it. It says the ports as one line of JSON, then answers lines on its
standard input until that ends: ``"calm"`` (no faults for connections from now on) and
``"report"``, each with how many connections met which fault.
"""

import argparse
import json
import sys
from collections import Counter

import gevent
from gevent import socket
from gevent.fileobject import FileObject
from gevent.server import StreamServer

from tests.faults.fault import BITS, NONE, Bits, Fault, fault
from tests.faults.passage import Passage

_CONNECT_S = 5.0


class Lane:
    """One port, and what happens to its connections in turn."""

    def __init__(self, proxy: "Proxy", number: int) -> None:
        self._proxy = proxy
        self._number = number
        self._attempts = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def _serve(self, reader: socket.socket, _: object) -> None:
        planned = self._proxy.fault(self._number, self._attempts)
        self._attempts += 1
        try:
            server = socket.create_connection(self._proxy.target, _CONNECT_S)
        except OSError:
            return  # nobody there: the reader is told by the end
        server.settimeout(None)
        Passage(reader, server, planned, lambda: self._proxy.note(planned)).run()


class Proxy:
    """All lanes to one target.

    Attributes:
        met: how many connections met which fault.
    """

    def __init__(self, target: tuple[str, int], seed: int, lanes: int, bits: Bits) -> None:
        self.target = target
        self.met: Counter[str] = Counter()
        self._seed = seed
        self._bits = bits
        self._calm = False
        self._lanes = [Lane(self, number) for number in range(lanes)]

    @property
    def ports(self) -> list[int]:
        """Ports of the lanes, in order."""
        return [lane.port for lane in self._lanes]

    def fault(self, lane: int, attempt: int) -> Fault:
        """Return what happens to a connection."""
        return NONE if self._calm else fault(self._seed, lane, attempt, self._bits)

    def note(self, happened: Fault) -> None:
        """Count a fault."""
        self.met[happened.kind] += 1

    def heed(self, word: str) -> dict[str, int]:
        """Do as a line of the standard input says."""
        if word == "calm":
            self._calm = True
        return dict(self.met)


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(description="fault proxy")
    parser.add_argument("target", help="HOST:PORT")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--bits", type=float, nargs=2, default=BITS, help="see fault.Bits")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    proxy = Proxy((host, int(port)), options.seed, options.lanes, options.bits)
    _say(proxy.ports)
    for line in FileObject(sys.stdin.buffer, "rb"):
        _say(proxy.heed(json.loads(line)))


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
    gevent.get_hub().destroy()
