"""Surveys: requests that come close together share one, and none is older than its request."""

import time
from typing import Any, cast

import gevent

from gateway.monitor.checkup import Diagnosis
from gateway.monitor.survey import Survey, Surveyor
from gateway.streams.counts import Counts
from tests.processes import at_best


class _Bulletin:
    seat = 0

    def __init__(self) -> None:
        self.posted_at: list[float] = []

    def post(self) -> None:
        self.posted_at.append(time.monotonic())

    def workers(self) -> list[Any]:
        return []

    def counted(self) -> Counts:
        return Counts()


class _Checkup:
    def diagnosis(self) -> Diagnosis:
        return Diagnosis(True, [], [], None, [])


def test_clients_that_ask_again_and_again_share_few_surveys():
    bulletin = _Bulletin()
    surveyor = Surveyor(cast(Any, bulletin), cast(Any, _Checkup()), "1")
    answered: list[tuple[float, Survey]] = []
    until = time.monotonic() + 0.25

    def ask() -> None:
        while (asked_at := time.monotonic()) < until or len(bulletin.posted_at) < 3:
            answered.append((asked_at, surveyor.survey()))

    began_at = time.monotonic()
    gevent.joinall([gevent.spawn(ask) for _ in range(50)], raise_error=True)
    most = 2 + (time.monotonic() - began_at) / 0.05
    assert 2 <= len(bulletin.posted_at) <= most
    assert len(answered) >= 100
    assert all(survey.at >= asked_at for asked_at, survey in answered)


def test_a_survey_after_a_while_does_not_wait():
    surveyor = Surveyor(cast(Any, _Bulletin()), cast(Any, _Checkup()), "1")

    def took_s() -> float:
        began = time.monotonic()
        surveyor.survey()
        took = time.monotonic() - began
        gevent.sleep(0.06)
        return took

    for _ in range(2):
        assert at_best(took_s, 0.04) < 0.04
