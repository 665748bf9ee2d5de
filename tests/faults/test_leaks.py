"""Nothing is kept of a turn, a request or a reader once it is over, but in stores with a bound."""

from contextlib import contextmanager
from itertools import pairwise
from urllib.parse import quote

import pytest

from tests.faults.inventory import grown, inventoried
from tests.faults.upstream import scripted_upstream
from tests.http_client import call
from tests.processes import wait_until
from tests.sse_client import SseClient

_DIRECTORY = "/srv/demo"
_ROUNDS = 30
_LEAST_OBJECTS, _LEAST_BYTES = 0.8 * _ROUNDS, 512 * _ROUNDS


@contextmanager
def native(folder):
    with inventoried(folder) as weir:
        yield weir


@contextmanager
def relay(folder):
    with scripted_upstream() as server, inventoried(folder, "--upstream", server.url) as weir:
        yield weir


@pytest.mark.parametrize("deployed", [native, relay])
def test_what_is_over_is_forgotten(deployed, tmp_path):
    with deployed(tmp_path) as weir:
        users = Users(weir.up)
        weir.take()
        users.work(_ROUNDS)  # and fill all stores
        taken = [weir.take()]
        for _ in range(2):
            users.work(_ROUNDS)
            taken.append(weir.take())
    once, again = (grown(*two, _LEAST_OBJECTS, _LEAST_BYTES) for two in pairwise(taken))
    leaks = once.keys() & again.keys()
    assert not leaks, {line: (once[line], again[line]) for line in leaks}


class Users:
    """Read, prompt, err and leave, over and over."""

    def __init__(self, up):
        self._up = up
        self._last_id = ""

    def work(self, rounds):
        """Do so; what the stores hold in the end is alike after any number of rounds."""
        for n in range(rounds):
            for last_id in ("", self._last_id, f"nonsense:{n}"):
                self._read(last_id)
            aborts = n < rounds // 10
            self._turn("rate 1000 1000" if aborts else "storm 3 9", aborts)
            assert self._up.call("GET", f"/session/ses_nobody{n}").status == 404

    def _read(self, last_id):
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with SseClient(
            f"{self._up.url}/global/event?session=ses_{quote(last_id)}", headers
        ) as stream:
            self._last_id = stream.next().id

    def _turn(self, prompt, abort):
        session = self._ask("POST", "/session", {}).body["id"]
        parts = {"parts": [{"type": "text", "text": prompt}]}
        self._ask("POST", f"/session/{session}/prompt_async", parts)
        if abort:
            self._ask("POST", f"/session/{session}/abort")
        wait_until(lambda: session not in self._ask("GET", "/session/status").body)
        self._ask("DELETE", f"/session/{session}")

    def _ask(self, method, path, body=None):
        reply = call(method, f"{self._up.url}{path}?directory={quote(_DIRECTORY)}", body)
        assert reply.status < 300, reply
        return reply
