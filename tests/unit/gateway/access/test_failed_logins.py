"""Failed logins are logged once and slowed down, each address for itself."""

from gateway.access.failed_logins import FREE, LONGEST_S, FailedLogins

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_failures_cost_nothing_and_further_ones_more_and_more():
    failed = FailedLogins(Clock())
    waits = [failed.note(HERE)[0] for _ in range(30)]
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE] > 0
    assert sorted(waits) == waits
    assert waits[-1] == LONGEST_S
    assert failed.note(THERE)[0] == 0.0


def test_all_addresses_of_an_ipv6_host_count_as_one():
    failed = FailedLogins(Clock())
    waits = [failed.note(f"2001:db8::{number:x}")[0] for number in range(10)]
    assert waits[-1] > 0
    assert failed.note("2001:db8:0:1::1") == (0.0, True)


def test_an_expired_token_is_no_guess():
    failed = FailedLogins(Clock())
    assert failed.note(HERE, is_guess=False) == (0.0, True)
    assert {failed.note(HERE, is_guess=False) for _ in range(50)} == {(0.0, False)}
    assert [failed.note(HERE)[0] for _ in range(FREE + 1)][:FREE] == [0.0] * FREE


def test_one_failure_of_a_minute_is_logged():
    clock = Clock()
    failed = FailedLogins(clock)
    assert [failed.note(HERE)[1] for _ in range(3)] == [True, False, False]
    assert failed.note(THERE)[1]
    clock.now = 61.0
    assert failed.note(HERE) == (0.0, True)


def test_an_address_with_many_answers_on_the_way_is_barred_until_one_has_left():
    failed = FailedLogins(Clock())
    failed.note(HERE)
    for _ in range(4):
        assert not failed.barred(HERE)
        failed.begin_wait(HERE)
    assert failed.barred(HERE)
    assert not failed.barred(THERE)
    failed.end_wait(HERE)
    assert not failed.barred(HERE)


def test_a_thousand_addresses_do_not_grow_the_memory_without_bound():
    failed = FailedLogins(Clock())
    for number in range(10_000):
        failed.note(str(number))
    assert len(failed._records) == 4096
