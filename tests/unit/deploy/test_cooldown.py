from itertools import pairwise

from deploy.cooldown import Cooldown


def test_restarts_one_after_the_other_get_rarer():
    rest = Cooldown()
    at = [second for second in range(1000, 2000) if rest.over(second)]
    gaps = [later - sooner for sooner, later in pairwise(at)]
    assert at[0] == 1000
    assert 4 <= len(at) <= 7
    assert gaps == sorted(gaps)
    assert 11 <= gaps[0] <= 20


def test_after_a_long_time_of_peace_it_starts_over():
    rest = Cooldown()
    for second in range(1000, 2000):
        rest.over(second)
    assert rest.over(10_000)
    assert rest.over(10_020)
