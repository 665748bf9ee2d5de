"""Long answers over HTTP: piece by piece, each asked for when the last one has been taken."""

import gevent
import pytest
from gevent.event import Event

from bus.answers import PIECE_BYTES, CommandFailed
from bus.commands import MessageList, More
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from gateway.resources.courier import Courier, _Delivery
from tests.fakes.requester import ScriptedRequester, native

LONG = b'"' + b"x" * PIECE_BYTES + b'"'


def delivery(courier, command):
    """Return an answer on its way, as the WSGI server gets it."""
    return _Delivery(courier, courier.ask(command), None, 1.0)


@pytest.mark.parametrize("path", ["/session/s/message", "/session", "/session/s/message/m"])
def test_pieces_leave_as_one_body(path):
    client, requester = native((b"[1,", None, b"a"), (b"2,", None, b"b"), b"3]")
    result = client.simulate_get(path)
    assert result.content == b"[1,2,3]"
    assert result.headers["content-type"] == "application/json"
    assert "content-length" not in result.headers
    assert [command.token for command in requester.commands[1:]] == [b"a", b"b"]


def test_a_prompts_answer_comes_in_pieces_too():
    client, requester = native(b'{"messageID":"m"}', b"null", (b"[1,", None, b"a"), b"2]")
    result = client.simulate_post(
        "/session/s/message", body='{"parts":[{"type":"text","text":""}]}'
    )
    assert result.content == b"[1,2]"
    assert requester.commands[-1] == More(b"a")


def test_a_long_answer_that_is_whole_has_its_length():
    client, _ = native(LONG)
    result = client.simulate_get("/session/s/message")
    assert result.content == LONG
    assert result.headers["content-length"] == str(len(LONG))


def test_a_piece_is_asked_for_when_the_last_one_is_taken():
    requester = ScriptedRequester((b"[1,", None, b"a"), b"2]")
    body = iter(delivery(Courier(requester, 1.0), MessageList("s")))
    assert next(body) == b"[1,"
    assert len(requester.commands) == 1
    assert next(body) == b"2]"
    assert len(requester.commands) == 2


def test_the_more_answers_are_on_their_way_the_smaller_are_their_pieces():
    requester = ScriptedRequester(*[(b"x" * PIECE_BYTES, None, b"t")] * 200)
    courier = Courier(requester, 1.0)
    on_their_way = []
    for _ in range(100):
        one = delivery(courier, MessageList("s"))
        next(iter(one))
        on_their_way.append(one)
    sizes = [command.size for command in requester.commands]
    assert sizes[0] == PIECE_BYTES
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 32 * 1024
    for one in on_their_way:
        one.close()
    assert courier.held == 0


class Slow:
    """A requester that answers all at last."""

    def __init__(self):
        self.sizes, self.due = [], Event()

    def call(self, command, _deadline_s):
        self.sizes.append(command.size)
        self.due.wait()


def test_answers_that_are_waited_for_together_are_bounded_together():
    requester = Slow()
    courier = Courier(requester, 1.0)
    asks = [gevent.spawn(courier.wait, MessageList("s")) for _ in range(500)]
    gevent.sleep(0)
    assert len(requester.sizes) == 500
    assert max(requester.sizes) == PIECE_BYTES
    assert sum(requester.sizes) < 64 * PIECE_BYTES
    requester.due.set()
    gevent.joinall(asks)
    assert courier.held == 0


def test_few_pieces_are_asked_for_at_once_and_each_has_its_turn():
    requester = Slow()
    courier = Courier(requester, 1.0)
    asks = [gevent.spawn(courier.ask, MessageList("s")) for _ in range(500)]
    gevent.sleep(0)
    assert len(requester.sizes) == 2
    requester.due.set()
    gevent.joinall(asks)
    assert (len(requester.sizes), courier.held) == (500, 0)


def test_a_question_that_gets_no_turn_is_given_up(monkeypatch):
    monkeypatch.setattr("gateway.resources.courier._TURN_WITHIN_S", 0.05)
    requester = Slow()
    courier = Courier(requester, 1.0)
    asks = [gevent.spawn(courier.ask, MessageList("s")) for _ in range(2)]
    gevent.sleep(0)
    with pytest.raises(DeadlineExceeded, match="busy with other answers"):
        courier.ask(MessageList("s"))
    requester.due.set()
    gevent.joinall(asks)
    assert courier.ask(MessageList("s")) is None


@pytest.mark.parametrize(
    "error",
    [CommandFailed("not_found", "gone"), ProcessorGone("restarted"), DeadlineExceeded("late")],
)
def test_an_answer_that_cannot_be_ended_is_cut_not_closed(error):
    requester = ScriptedRequester((b"[1,", None, b"a"), error)
    courier = Courier(requester, 1.0)
    one = delivery(courier, MessageList("s"))
    body = iter(one)
    assert next(body) == b"[1,"
    with pytest.raises(ConnectionResetError, match=str(error)):
        next(body)
    one.close()
    assert courier.held == 0
