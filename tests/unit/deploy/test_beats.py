import os
import socket

import pytest

from bus.process.heart import Heart, Notifier
from deploy.beats import Beats
from tests.blackbox.gateway_on_bus import temporary_folder


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(short_folder):
    return short_folder / "notify"


@pytest.fixture
def beats(path):
    beats = Beats(path)
    yield beats
    beats.close()


@pytest.fixture
def short_folder():
    with temporary_folder() as folder:
        yield folder


def test_the_worst_lag_between_two_messages_is_told(path, beats):
    clock = Clock()
    heart = Heart(Notifier(str(path)), period_s=0.1, clock=clock)
    heart.beat()
    for pause in (0.1, 0.35, 0.1):
        clock.now += pause
        heart.beat()
    beats.look(0)
    loop = beats.loop(os.getpid())
    assert loop.beaten
    assert loop.lag_s == pytest.approx(0.25)


def test_a_heart_beaten_often_speaks_twice_a_second(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.setblocking(False)
        clock = Clock()
        heart = Heart(Notifier(str(path)), period_s=0.125, clock=clock)
        for _ in range(17):
            heart.beat()
            clock.now += 0.125
        for _ in range(5):
            assert manager.recv(4096).startswith(b"WATCHDOG=1\n")
        with pytest.raises(BlockingIOError):
            manager.recv(4096)


def test_a_heart_beats_on_when_nobody_listens(path):
    for address in ("", str(path), "@nobody-listens-there"):
        Heart(Notifier(address)).beat()


def test_silence_is_counted_until_the_next_sign_of_life(path, beats):
    heart = Heart(Notifier(str(path)), clock=Clock())
    beats.look(0.0)
    beats.loop(os.getpid())
    beats.look(0.5)
    beats.look(1.25)
    assert beats.loop(os.getpid()).silent_s == pytest.approx(1.25)
    heart.beat()
    beats.look(2.0)
    assert beats.loop(os.getpid()).silent_s == 0


def test_time_in_which_the_supervisor_stood_still_counts_for_one_second(beats):
    beats.loop(7)
    beats.look(0.0)
    beats.look(3600.0)
    assert beats.loop(7).silent_s == 1.0


def test_what_is_no_sign_of_life_counts_for_nothing(path, beats):
    notifier = Notifier(str(path))
    for words in (["READY=1"], ["WATCHDOG=1"], ["WATCHDOG=1", "X_WEIR_PID=x"], ["\xff", ""]):
        notifier.say(*words)
    beats.look(0.0)
    assert beats.heard() == []


def test_a_stale_socket_is_replaced_and_removed(path):
    Beats(path)
    again = Beats(path)
    Heart(Notifier(str(path))).beat()
    again.look(0.0)
    assert again.heard() == [os.getpid()]
    again.close()
    assert not path.exists()
