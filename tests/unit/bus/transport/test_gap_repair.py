"""Gap repair as a table of rules: no I/O, no clock, and nothing passes a gap."""

from hypothesis import example, given
from hypothesis import strategies as st

from bus.envelope import Envelope
from bus.events import from_json
from bus.transport.codec import Batch, Heartbeat
from bus.transport.gap_repair import (
    HEARD_WITHIN_S,
    TRY_AGAIN_S,
    Deliver,
    GapRepair,
    Joined,
    Missing,
    NeedSnapshot,
    Nothing,
    Replayed,
    Unanswered,
)
from tests.envelopes import dump

EVENT = from_json(dump({"type": "n", "properties": {}}))
MOST_QUESTIONS = 4  # of one frame: FIRST or OLDER, then a gap: a replay, and a snapshot instead

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 3)),
        st.tuples(st.just("lose"), st.integers(1, 3)),
        st.tuples(st.just("repeat"), st.integers(0, 5)),
        st.just(("beat", 0)),
        st.just(("restart", 0)),
    ),
    max_size=30,
)


class Source:
    """What a processor has published, and how it answers."""

    def __init__(self, answers, names=range(1000)):
        self.answers = answers
        self.names = names
        self.number, self.seq = 1, 0
        self.frames = []

    @property
    def epoch(self):
        return f"e{self.names[self.number % len(self.names)]}"

    def batch(self, count):
        first = self.seq + 1
        self.seq += count
        return Batch(self.envelopes(first, self.seq))

    def envelopes(self, first, last):
        seqs = range(first, last + 1)
        return [Envelope("p1", self.epoch, seq, seq, None, None, None, EVENT) for seq in seqs]

    def frame(self, kind, count):
        """Return the frame that arrives in a step, None if it is lost."""
        if kind == "restart":
            self.number, self.seq = self.number + 1, 0
        if kind == "repeat":
            return self.frames[-1 - count] if count < len(self.frames) else None
        beats = kind in ("beat", "restart")
        self.frames.append(
            Heartbeat("p1", self.epoch, self.seq, 0) if beats else self.batch(count)
        )
        return None if kind == "lose" else self.frames[-1]

    def answer(self, question):
        said = next(self.answers)
        if said != "yes":
            return Unanswered("not now", gone=said == "gone")
        if isinstance(question, NeedSnapshot):
            return Joined("p1", self.epoch, self.seq)
        if question.epoch != self.epoch:
            return Unanswered("that epoch is over")
        return Replayed(self.envelopes(question.after + 1, question.upto))


class Reader:
    """Holds what is delivered; it may begin anywhere, and goes on without a gap."""

    def __init__(self):
        self.epoch, self.seq = None, None

    def take(self, envelopes):
        for one in envelopes:
            if self.seq is not None:
                assert one.seq == (self.seq + 1 if one.epoch == self.epoch else 1)
            self.epoch, self.seq = one.epoch, one.seq


@given(steps, st.lists(st.sampled_from(["yes", "yes", "no", "gone"])), st.booleans())
def test_nothing_passes_a_gap_whatever_is_lost_repeated_or_unanswered(todo, answers, patient):
    source = Source(iter([*answers, *["yes"] * 1000]))
    order, reader, now = GapRepair(), Reader(), 0.0
    for kind, count in todo:
        now += 0.0 if patient else TRY_AGAIN_S
        if (frame := source.frame(kind, count)) is None:
            continue
        outcome = order.take(frame, now)
        for _ in range(MOST_QUESTIONS):
            if isinstance(outcome, Deliver | Nothing):
                break
            answer = source.answer(outcome)
            if isinstance(answer, Joined):
                reader.epoch, reader.seq = answer.epoch, answer.seq
            outcome = order.answer(answer, now)
        assert isinstance(outcome, Deliver | Nothing)
        if isinstance(outcome, Deliver):
            reader.take(outcome.envelopes)


@given(steps)
def test_with_answers_all_that_was_published_is_delivered_by_the_next_heartbeat(todo):
    source = Source(iter(lambda: "yes", None))
    order, reader = GapRepair(), Reader()
    for kind, count in [*todo, ("beat", 0)]:
        if (frame := source.frame(kind, count)) is None:
            continue
        outcome = order.take(frame, 0.0)
        while not isinstance(outcome, Deliver | Nothing):
            answer = source.answer(outcome)
            if isinstance(answer, Joined):
                reader.epoch, reader.seq = answer.epoch, answer.seq
            outcome = order.answer(answer, 0.0)
        if isinstance(outcome, Deliver):
            reader.take(outcome.envelopes)
    state = order.sources["p1"]
    assert (state.epoch, state.seq, state.lost) == (source.epoch, source.seq, 0)
    assert reader.seq in (source.seq, None) or reader.epoch != source.epoch


late_steps = st.lists(
    st.one_of(
        st.sampled_from([("lose", 1), ("restart", 0), ("beat", 0)]),
        st.tuples(st.just("repeat"), st.integers(1, 3)),
    ),
    max_size=6,
)


@given(late_steps, st.permutations(range(3)), st.lists(st.sampled_from(["yes", "no", "gone"])))
@example([("lose", 1), ("restart", 0), ("repeat", 1)], [0, 2, 1], ["yes"])
@example([("lose", 1), ("restart", 0), ("repeat", 1)], [0, 1, 2], ["yes"])
def test_the_live_epoch_is_followed_again_once_the_source_answers(todo, names, answers):
    """Clocks are put back at restarts, frames are late, and no question is answered at first."""
    source = Source(iter([*answers, *["no"] * 1000]), names)
    order, now = GapRepair(), 0.0

    def take(frame):
        outcome = order.take(frame, now)
        while not isinstance(outcome, Deliver | Nothing):
            outcome = order.answer(source.answer(outcome), now)

    for kind, count in todo:
        now += 0.5
        if (frame := source.frame(kind, count)) is not None:
            take(frame)
    source.answers = iter(lambda: "yes", None)
    for _ in range(int(HEARD_WITHIN_S) + 1):
        now += 1.0
        take(source.frame("beat", 0))
    state = order.sources["p1"]
    assert (state.epoch, state.seq) == (source.epoch, source.seq)
    assert state.alive_at == now


def test_a_late_frame_of_an_ended_epoch_is_no_sign_of_life():
    order = GapRepair()
    order.take(Heartbeat("p1", "e2", 0, 0), 0.0)
    order.answer(Joined("p1", "e2", 0), 0.0)
    assert isinstance(order.take(Heartbeat("p1", "e1", 0, 0), TRY_AGAIN_S), NeedSnapshot)
    assert isinstance(order.answer(Unanswered("not now"), 11.0), Nothing)
    state = order.sources["p1"]
    assert (state.epoch, state.alive_at) == ("e2", 0.0)


def test_questions_name_what_is_missing():
    source, order = Source(iter(())), GapRepair()
    assert isinstance(order.take(source.batch(2), 0.0), NeedSnapshot)
    assert order.answer(Joined("p1", "e1", 1), 0.0) == Deliver(source.envelopes(2, 2))
    source.batch(3)
    late = source.batch(1)
    assert order.take(late, 0.0) == Missing("p1", "e1", 2, 5)
    assert isinstance(order.answer(Unanswered("forgotten"), 0.0), NeedSnapshot)
    assert isinstance(order.answer(Unanswered("not now"), 0.0), Nothing)
    assert isinstance(order.take(late, TRY_AGAIN_S / 2), Nothing)
    assert order.take(late, TRY_AGAIN_S) == Missing("p1", "e1", 2, 5)
    replayed = source.envelopes(3, 5)
    assert order.answer(Replayed(replayed), TRY_AGAIN_S) == Deliver(source.envelopes(3, 6))
