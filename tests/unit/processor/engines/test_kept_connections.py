"""A kept connection that its provider closes costs no answer, whatever other requests do."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from urllib3.exceptions import ProtocolError

from processor.engines.dialect import ChatCompletions
from processor.engines.engine import EngineRequest
from processor.engines.provider import Provider
from processor.settings import ModelSettings
from tests.fakes.http_upstream import DEADLINE_S, OK, Talk, http_upstream

REQUEST = EngineRequest(model="m1", messages=[])


def answer(provider: Provider) -> bytes:
    response = provider.ask(REQUEST)
    try:
        return response.read()
    finally:
        response.release_conn()


def request(talk: Talk) -> bytes:
    head = talk.head()
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return talk.read(int(length or 0))


def test_a_connection_that_another_request_makes_meanwhile_is_not_taken_for_the_one_that_failed():
    second_came, other_answered = threading.Event(), threading.Event()

    def script(talk: Talk) -> None:
        request(talk)
        talk.say(OK)
        if talk.number == 0:
            request(talk)
            second_came.set()
            assert other_answered.wait(DEADLINE_S)
            talk.reset()
        else:
            while request(talk):
                talk.say(OK)

    with http_upstream(script) as upstream, ThreadPoolExecutor() as threads:
        provider = Provider(ModelSettings(upstream.url, "m1"), ChatCompletions())
        assert answer(provider) == b"ok"
        second = threads.submit(answer, provider)
        assert second_came.wait(DEADLINE_S)
        assert answer(provider) == b"ok"
        other_answered.set()
        assert second.result(DEADLINE_S) == b"ok"


def test_a_new_connection_that_is_closed_is_not_tried_again():
    def script(talk: Talk) -> None:
        request(talk)
        talk.reset()

    with http_upstream(script) as upstream:
        with pytest.raises(ProtocolError):
            answer(Provider(ModelSettings(upstream.url, "m1"), ChatCompletions()))
        assert upstream.connections == 1
