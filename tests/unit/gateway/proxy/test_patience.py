"""How long an upstream may be silent."""

from gateway.proxy.patience import Patience


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_silence_is_measured_from_the_last_thing_that_moved():
    clock = Clock()
    patience = Patience(60, lambda _: True, clock)
    clock.now += 45
    assert patience.left_s == 15
    patience.broken()
    assert patience.left_s == 60
    clock.now += 100
    assert patience.left_s == 0


def test_an_upstream_that_lives_is_waited_for_and_one_that_does_not_is_given_up():
    clock, lives, asked = Clock(), [True, True, False], []
    patience = Patience(60, lambda seconds: asked.append(seconds) or lives.pop(0), clock)
    for expected in (True, True, False):
        clock.now += 60
        assert patience.extended() is expected
        assert (patience.left_s == 60) is expected
    assert asked == [60, 60, 60]
