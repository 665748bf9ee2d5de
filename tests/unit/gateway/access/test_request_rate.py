"""A principal past its requests a second waits, and no other principal does."""

import pytest

from gateway.access.access import Access
from gateway.access.request_rate import RequestRate
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_principal_gets_its_requests_a_second_and_a_short_burst():
    clock = Clock()
    request_rate = RequestRate(10, clock)
    assert [request_rate.take("a") for _ in range(21)] == [None] * 20 + [1]
    assert request_rate.take("b") is None
    clock.now = 1.0
    assert [request_rate.take("a") for _ in range(11)] == [None] * 10 + [1]
    clock.now = 1000.0
    assert [request_rate.take("a") for _ in range(21)].count(None) == 20


def test_a_slow_rate_says_how_long_to_wait():
    request_rate = RequestRate(0.1, Clock())
    assert request_rate.take("a") is None
    assert request_rate.take("a") == 10


def test_without_a_limit_nothing_is_counted():
    request_rate = RequestRate(0, Clock())
    assert {request_rate.take("a") for _ in range(1000)} == {None}


def asked(access: Access, path: str):
    one = request("GET", path)
    return access.admit(one, one.path)


def test_the_door_answers_429_with_retry_after_and_still_answers_probes():
    access = open_access(request_rate=RequestRate(1, Clock()))
    for _ in range(2):
        asked(access, "/session")
    with pytest.raises(Refusal) as refused:
        asked(access, "/session")
    assert refused.value.status == 429
    assert dict(refused.value.headers) == {"Retry-After": "1"}
    assert "--principal-requests" in refused.value.message
    asked(access, "/weir/livez")
    asked(access, "/global/health")
