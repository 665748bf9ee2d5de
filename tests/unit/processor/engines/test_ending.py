from processor.engines.ending import LATE_S, QUIET_S, USAGE_S, Ending

PATIENCE_S = 30.0


def test_before_the_finish_reason_only_words_extend_the_wait() -> None:
    ending = Ending(PATIENCE_S, 100.0)
    assert ending.wait_s(100.0) == PATIENCE_S
    ending.note(110.0, 1, False, False)
    ending.note(130.0, 1, False, False)  # a comment
    assert ending.wait_s(130.0) == 10.0
    ending.note(139.0, 2, False, False)
    assert ending.wait_s(139.0) == PATIENCE_S


def test_after_the_finish_reason_an_answer_is_over_soon_whatever_comes_but_words() -> None:
    ending = Ending(PATIENCE_S, 0.0)
    ending.note(5.0, 3, True, False)
    ending.note(5.5, 3, True, False)
    assert ending.wait_s(5.5) == USAGE_S - 0.5
    ending.note(5.9, 4, True, False)
    assert ending.wait_s(5.9) == USAGE_S


def test_once_the_tokens_have_come_an_answer_is_over_sooner() -> None:
    ending = Ending(PATIENCE_S, 0.0)
    ending.note(5.0, 3, True, True)
    assert ending.wait_s(5.0) == QUIET_S
    assert ending.late_s(5.0) == 0.0


def test_late_tokens_are_waited_for_until_a_deadline() -> None:
    ending = Ending(PATIENCE_S, 0.0)
    ending.note(5.0, 3, True, False)
    ending.note(6.0, 3, True, False)
    assert ending.late_s(6.0) == LATE_S - 1.0
    ending.note(7.0, 3, True, True)
    assert ending.late_s(7.0) == 0.0
