"""What readers hold when the stream is cut, as properties over any history and any cuts."""

import contextlib
import copy
import json
import math
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.events import Opaque, from_json
from bus.ids import Ids
from processor.upstream.api import RestCut
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.subject import grows, subject_of
from tests.envelopes import dump
from tests.fakes.stored import Stored, StoredRest
from tests.histories import global_histories
from tests.reference import State

COMPARED = ("sessions", "status", "messages", "permissions", "questions", "todos", "diffs")


class World:
    """An opencode, a processor in front of it, and a reader who folds all that is published."""

    def __init__(self, frames, lag=0):
        self.left = list(frames)
        self.lag = lag
        self.stored = Stored()
        self.truth = State()
        self.reader = State()
        self.texts = defaultdict(set)
        self.versions = defaultdict(list)
        self.shown = defaultdict(int)
        self.ended = set()
        self.on_the_way = []
        self.published = []
        self.now = 0.0
        self.intake = FrameIntake(self.publish, lambda: self.now)
        self.connected = False
        self.rest = StoredRest(self.stored, self.asked, self.arrive)
        self.healing = Healing(self.rest, self.intake, Ids())
        self.steps = []
        self.answers = math.inf

    def happen(self, count=None):
        """Let the server go on: while it is asked, as many events as `steps` says."""
        if count is None:
            count = self.steps.pop() if self.steps else 0
        for frame in self.left[:count]:
            self.stored.apply(copy.deepcopy(frame))
            self.truth.apply(copy.deepcopy(frame["payload"]))
            self.note_texts()
            if (subject := subject_in(frame["payload"])) is not None:
                self.versions[subject.key].append(subject.value)
            if self.connected:
                self.on_the_way.append(dump(frame))
        del self.left[:count]

    def arrive(self, all_of_it=False):
        """Let what was sent arrive, but for the last `lag` events."""
        keep = 0 if all_of_it else self.lag
        while len(self.on_the_way) > keep:
            self.intake.take(self.on_the_way.pop(0))

    def connect(self):
        self.connected = True
        self.intake.connected(None)

    def begin(self, during=(), cuts=()):
        """Connect, and heal: who is not behind is whole then."""
        self.connect()
        self.steps = list(during)
        self.heal(cuts)
        if self.lag == 0:
            assert whole(self.reader) == whole(self.truth)

    def asked(self):
        """Be asked: there are so many answers before the connection is lost."""
        self.happen()
        self.answers -= 1
        if self.answers < 0:
            raise RestCut("not now")

    def heal(self, cuts=()):
        """Have one attempt after the other fail after some answers, and the last succeed."""
        for self.answers in cuts:
            with contextlib.suppress(RestCut):
                self.healing.attempt()
            self.arrive()
        self.answers = math.inf
        self.healing.attempt()
        self.arrive()

    def cut(self):
        """Lose what is on the way."""
        self.connected = False
        self.on_the_way.clear()
        self.intake.release()
        self.healing.cut(self.now, 0)

    def publish(self, frame):
        self.published.append(frame)
        event = json.loads(frame.event.json())
        if is_upsert(event):
            self.check_upsert(event)
        self.check_end(frame.event)
        if self.lag == 0:
            self.check_version(event)
        self.reader.apply(event)
        self.check_texts()

    def check_upsert(self, event):
        """No part goes before its message, and no text that grows is made shorter."""
        if event["type"] == "message.part.updated":
            part = event["properties"]["part"]
            assert part["messageID"] in self.reader.parts
            held = self.reader.parts[part["messageID"]].get(part["id"])
            if grows(part) and held is not None:
                assert len(part["text"]) >= len(held["text"])

    def check_end(self, event):
        """No part that REST told as ended begins again, however late the stream is."""
        if event.type != "message.part.updated":
            return
        if not event.provisional and is_upsert({"id": event.id or ""}):
            self.ended.add(event.entity)
        assert not (event.provisional and event.entity in self.ended)

    def check_version(self, event):
        """Nothing goes back to what it was: there is such a value at or after the last shown."""
        subject = subject_in(event)
        if subject is None or subject.kind in ("todos", "request") or subject.value is None:
            return
        versions, last = self.versions[subject.key], self.shown[subject.key]
        later = [n for n in range(last, len(versions)) if versions[n] == subject.value]
        if subject.kind != "status" or versions:  # REST says idle of whoever said nothing
            assert later, event
            self.shown[subject.key] = later[0]

    def note_texts(self):
        for parts in self.truth.parts.values():
            for part in parts.values():
                if "text" in part:
                    self.texts[part["id"]].add(part["text"])

    def check_texts(self):
        for parts in self.reader.parts.values():
            for part in parts.values():
                if "text" in part:
                    assert part["text"] in self.texts[part["id"]], part


def is_upsert(event):
    return len(event.get("id", "")) > len("evt_000000")


def subject_in(event):
    travelling = from_json(dump(event))
    return subject_of(travelling) if isinstance(travelling, Opaque) else None


def whole(state):
    """What must be equal in the end: all but texts that never ended, and empty prompts."""
    view = state.view()
    kept = {name: view[name] for name in COMPARED}
    for name in ("todos", "diffs"):
        kept[name] = {session: told for session, told in kept[name].items() if told}
    # A session that says nothing is idle.
    kept["status"] = {one: said for one, said in kept["status"].items() if said["type"] != "idle"}
    known = {id_ for infos in view["messages"].values() for id_ in infos}
    kept["parts"] = {
        message: {id_: part for id_, part in parts.items() if not open_or_empty(part)}
        for message, parts in view["parts"].items()
        if message in known
    }
    return kept


def open_or_empty(part):
    """Tell whether a text never ended, or says nothing; a prompt has no times at all."""
    return grows(part) and ("time" in part or not part["text"])


_counts = st.sampled_from((0, 0, 1, 1, 2, 3, 5, 8, 13))
_during = st.lists(_counts, max_size=12)
_cuts = st.lists(st.integers(0, 12), max_size=3)
_phase = st.tuples(_during, _cuts, st.integers(0, 30), st.integers(0, 12))


@given(
    global_histories(),
    st.lists(_phase, min_size=1, max_size=4),
    st.tuples(_during, _cuts),
    st.just(0) | st.integers(0, 12),
)
@settings(max_examples=120, deadline=None)
def test_cuts_leave_readers_with_truth_at_every_moment_and_all_of_it_at_the_end(
    frames, phases, last, lag
):
    world = World(frames, lag)
    for during, cuts, live, missed in phases:
        world.begin(during, cuts)
        world.happen(live)
        world.arrive()
        world.cut()
        world.happen(missed)
    world.begin(*last)
    world.happen(len(world.left))
    world.arrive(all_of_it=True)
    assert whole(world.reader) == whole(world.truth)


@given(global_histories(), st.lists(st.integers(1, 30), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_connections_that_end_before_they_are_healed_leave_it_to_the_next(frames, counts):
    world = World(frames)
    for count in counts:
        world.connect()
        world.happen(count)
        world.arrive()
        world.cut()
    world.happen(len(world.left))
    world.begin()
    assert whole(world.reader) == whole(world.truth)


@given(global_histories())
@settings(max_examples=60, deadline=None)
def test_without_a_cut_all_passes_as_it_came(frames):
    world = World(frames)
    world.connect()
    world.heal()
    world.happen(len(frames))
    world.arrive()
    got = [json.loads(frame.event.json()) for frame in world.published]
    sent = [frame["payload"] for frame in frames]
    early = [event for event in sent if event["properties"].get("delta") == "early "]
    assert [e for e in got if e not in early] == [e for e in sent if e not in early]
