"""Which web pages an upstream allows, as far as a worker has learnt."""

import socket
import threading

import gevent
import pytest

from bus.origin import Origin
from gateway.cors import Cors
from gateway.proxy import origins
from gateway.proxy.origins import AGAIN_AFTER_S, MOST, UpstreamOrigins
from tests.processes import DEADLINE_S

PAGE = "https://app.example"


class Upstream:
    """Answers from `says`, and counts the questions."""

    def __init__(self, says=None):
        self.says = says
        self.asked = []
        self.now = 0.0

    def __call__(self, origin):
        self.asked.append(origin)
        return self.says

    def origins(self):
        return UpstreamOrigins(self, lambda: self.now)


@pytest.mark.parametrize("says", [True, False])
def test_an_upstream_is_asked_once_and_again_after_a_while(says):
    upstream = Upstream(says)
    known = upstream.origins()
    for _ in range(3):
        known.look_up(PAGE)
    assert known.allows(PAGE) is says
    assert upstream.asked == [PAGE]
    upstream.now += AGAIN_AFTER_S
    upstream.says = not says
    known.look_up(PAGE)
    gevent.sleep(0)
    assert known.allows(PAGE) is not says


def test_what_was_known_holds_while_the_upstream_does_not_answer():
    upstream = Upstream()
    known = upstream.origins()
    known.note(PAGE, True)
    upstream.now += AGAIN_AFTER_S
    known.look_up(PAGE)
    gevent.sleep(0)
    assert (upstream.asked, known.allows(PAGE)) == ([PAGE], True)


def test_an_upstream_that_hangs_keeps_a_page_waiting_once(monkeypatch):
    monkeypatch.setattr(origins, "ASK_WITHIN_S", 0.01)
    hung = UpstreamOrigins(lambda _: gevent.sleep(60), lambda: 0.0)
    hung.look_up(PAGE)
    with gevent.Timeout(DEADLINE_S):
        hung.look_up(PAGE)
    assert not hung.allows(PAGE)


def test_a_flood_of_pages_does_not_push_out_those_that_are_allowed():
    known = Upstream(False).origins()
    known.note(PAGE, True)
    for number in range(2 * MOST):
        known.look_up(f"https://{number}.example")
    assert known.allowed == [PAGE]
    assert len(known._said) == MOST


def test_what_another_worker_has_learnt_counts():
    upstream = Upstream(False)
    cors = Cors((), upstream.origins(), lambda: {PAGE})
    assert cors.allows(PAGE)
    assert not cors.allows("https://other.example")
    assert upstream.asked == []


def test_a_page_whose_name_is_not_ascii_can_be_asked_about():
    asked = []

    def serve():
        with silent.accept()[0] as connection:
            asked.append(connection.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        upstream = Origin("http", *silent.getsockname())
        assert origins.preflight(upstream, "https://caf\xe9") is None
        server.join(DEADLINE_S)
    assert b"caf\xe9" in asked[0]
