"""Hypothesis strategies for what an opencode publishes: any legal history of a few sessions.

Theory of operation. A history is drawn in two steps. First a *plan*: small nested tuples that say
which turns, parts and deltas there are, and how the sessions are woven into each other. Then the
plan is written out as events by `Scribe`, without further choices. Plans shrink well, since
each piece can be dropped by itself, and a draw costs little, since ids, times and snapshots follow
from the plan.

What is legal, and so may be relied upon by a property:
1. A session is created before its messages, a message before its parts, and nothing about an
   entity follows its removal.
2. A part's first word is a snapshot, with one exception seen in the wild: an *early* delta.
3. A snapshot of a text part may hold anything: what the deltas said, more, or less.
4. A turn ends in one of the ways of `ENDINGS`; snapshots that close its parts may come after idle.
5. Each session's events keep their order; events of different sessions interleave freely.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, cycle, pairwise, takewhile
from typing import NamedTuple

from hypothesis import strategies as st

from tests.scribe import (
    OWN_REMARKS,
    REMARKS,
    Both,
    Event,
    Remark,
    Said,
    Scribe,
    Session,
    Text,
    Tool,
    Turn,
)

FRAGMENTS = (
    *("a", "The ", "tool ", "", "\n", '"', "\\", "\r\n", "\x00", "\u2028", "\u2029", "\x85", "é"),
    *("漢字", "🌊", "👩\u200d👧", "data: x\n\n", "id: 7\n", "</script>", " " * 9, "0123456789"),
)
DELTAS = (
    *(("plain", fragment) for fragment in FRAGMENTS),
    *(("extra", fragment) for fragment in ("x", "🌊")),
    *(("field", fragment) for fragment in ("y", "")),
)
"""Plain, with a property nobody knows, or for a field other than text."""

# Of alternatives, the first is what shrinking ends at: the one with the fewest events.
CLOSINGS = ("same", "same", "longer", "shorter")
TEXT_ENDS = ("open", "closed", "closed", "closed", "removed")
ASKS = ("none", "none", "once", "reject", "answered", "rejected", "pending")
TOOL_ENDS = ("open", "completed", "completed", "error")
ENDINGS = ("cut", "normal", "normal", "aborted", "failed", "abandoned")
"""Cut: the server says no more. Abandoned: aborted, with no closing snapshot (1.2.27)."""

ALL_REMARKS = (
    *(Remark("todo", 0), Remark("todo", 2), Remark("diff", 0), Remark("diff", 1)),
    Remark("session", 0),
    *(Remark("its own", which) for which in range(len(OWN_REMARKS))),
    *(Remark("nobody's", which) for which in range(len(REMARKS))),
)


class History(NamedTuple):
    """All sessions, and how many events of which of them come next, over and over."""

    sessions: list[Session]
    weave: list[tuple[int, int]]
    legacy: bool


# Strategies are made once, here: to make one costs more than to draw from it.
_seldom = st.sampled_from((False,) * 7 + (True,))
_deltas = st.lists(st.sampled_from(DELTAS), max_size=8)
_stretches = st.lists(st.tuples(_deltas, st.sampled_from(CLOSINGS)), min_size=1, max_size=3)
_text = st.builds(
    Text,
    st.sampled_from(("text", "text", "reasoning")),
    _seldom,
    _stretches,
    st.sampled_from(TEXT_ENDS),
)
_tool = st.builds(Tool, st.integers(0, 6), st.sampled_from(ASKS), st.sampled_from(TOOL_ENDS))
_remark = st.sampled_from(ALL_REMARKS)
_milestone = st.sampled_from(("next step", "part removed", "message removed"))
_single = _remark | _text | _text | _tool
_both = st.builds(Both, _text, _text) | st.builds(Both, _single, _single)
_block = _remark | _text | _text | _tool | _milestone | _both
_turn = st.builds(
    Turn,
    st.sampled_from(FRAGMENTS),
    st.lists(_block, min_size=1, max_size=5),
    st.sampled_from(ENDINGS),
)
_session = st.builds(Session, st.lists(_turn, min_size=1, max_size=2), _seldom)
_history = st.builds(
    History,
    st.lists(_session, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from((1, 2, 3, 8))), min_size=1, max_size=6),
    _seldom,
)


def histories() -> st.SearchStrategy[list[Event]]:
    """Events as on ``GET /event``: ``{"id"?, "type", "properties"}``, without connection signals.

    One history in eight is in the 1.2.27 format: no ids, and ``sessionID`` only inside ``info``
    and ``part``.
    """
    return _history.map(_events)


def global_histories() -> st.SearchStrategy[list[Event]]:
    """The same as ``/global/event`` envelopes; sessions live in two directories."""
    return _history.map(_envelopes)


def flush_points(n: int) -> st.SearchStrategy[list[int]]:
    """Ends of the runs in which a reader gets `n` events: ascending, the last is `n`.

    Shrinks to all at once; each alone is tried often, as is every mix in between.
    """
    if n == 0:
        return st.just([])
    steps = st.lists(st.sampled_from((1, 1, 2, 3, 5, 8, 13, 34)), min_size=1, max_size=8)
    return st.just([n]) | st.just(list(range(1, n + 1))) | steps.map(lambda s: _ends(s, n))


def runs(events: Sequence[Event], ends: Iterable[int]) -> list[list[Event]]:
    """Cut `events` at the points of `flush_points`."""
    edges = [0, *ends]
    return [list(events[a:b]) for a, b in pairwise(edges)]


def _ends(steps: list[int], n: int) -> list[int]:
    return [*takewhile(lambda end: end < n, accumulate(cycle(steps))), n]


def _envelopes(plan: History) -> list[Event]:
    return [
        {"directory": f"/srv/demo/proj{number % 2 + 1}", "project": "prj_1", "payload": event}
        for number, event in _written(plan)
    ]


def _events(plan: History) -> list[Event]:
    return [event for _, event in _written(plan)]


def _written(plan: History) -> Iterator[tuple[int, Event]]:
    """Each event of the plan with the number of its session, in order of publication."""
    sessions = [Scribe(number).session(one) for number, one in enumerate(plan.sessions)]
    for index, (number, (kind, properties)) in enumerate(_woven(sessions, plan.weave)):
        if plan.legacy:
            yield number, {"type": kind, "properties": _in_the_old_format(properties)}
        else:
            yield number, {"id": f"evt_{index:06d}", "type": kind, "properties": properties}


def _woven(
    sessions: list[Iterator[Said]], weave: list[tuple[int, int]]
) -> Iterator[tuple[int, Said]]:
    alive = list(enumerate(sessions))
    for which, many in cycle(weave):
        if not alive:
            return
        number, session = alive[which % len(alive)]
        for _ in range(many):
            said = next(session, None)
            if said is None:
                alive.remove((number, session))
                break
            yield number, said


def _in_the_old_format(properties: Event) -> Event:
    if "info" in properties:
        return {"info": properties["info"]}
    if "part" in properties and "time" in properties:
        return {"part": properties["part"]}
    return properties
