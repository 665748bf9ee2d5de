from processor.upstream.holes import Holes


def connected(since_ms=1000):
    holes = Holes(most=4)
    holes.connected(since_ms)
    return holes


def test_deltas_pass_after_a_snapshot_of_their_part():
    holes = connected()
    holes.snapshot("p", 0)
    assert holes.passes("p", "m", 3)
    assert holes.held("p") == 3


def test_after_a_cut_deltas_are_withheld_until_the_next_snapshot():
    holes = connected()
    holes.snapshot("p", 0)
    holes.connected(2000)
    assert not holes.passes("p", "m", 3)
    holes.snapshot("p", 7)
    assert holes.passes("p", "m", 3)
    assert holes.held("p") == 10


def test_a_part_that_is_known_by_its_deltas_alone_has_a_hole():
    assert not connected().passes("p", "m", 3)


def test_a_delta_just_before_its_part_passes_if_its_message_is_new():
    holes = connected(since_ms=1000)
    holes.message("old", 999)
    holes.message("new", 1000)
    assert not holes.passes("p1", "old", 3)
    assert holes.passes("p2", "new", 3)
    holes.connected(3000)
    assert not holes.passes("p2", "new", 3)


def test_no_message_is_new_to_a_server_that_does_not_tell_the_time():
    holes = connected(since_ms=None)
    holes.message("m", 10**15)
    assert not holes.passes("p", "m", 3)


def test_what_rest_tells_closes_no_hole():
    holes = connected()
    holes.upsert("p", 5, ended=False)
    assert not holes.passes("p", "m", 3)
    assert holes.held("p") == 5
    holes.snapshot("p", 5)
    assert holes.passes("p", "m", 3)


def test_what_is_forgotten_counts_as_a_hole():
    holes = connected()
    for part in "abcde":
        holes.snapshot(part, 0)
    assert not holes.passes("a", "m", 1)
    assert holes.passes("e", "m", 1)


def test_what_rest_told_as_ended_has_ended_until_a_live_snapshot_says_more():
    holes = connected()
    holes.upsert("p", 5, ended=False)
    assert not holes.ended("p")
    holes.upsert("p", 7, ended=True)
    assert holes.ended("p")
    holes.snapshot("p", 8)
    assert not holes.ended("p")
