"""A principal past its requests a second waits, and no other principal does."""

from gateway.access.request_rate import RequestRate


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
