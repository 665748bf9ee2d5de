"""Short traces on which other coalescers lost or doubled text, as literal events.

In each, all events are queued before the reader's next flush. The comment beside a trace tells
what the failing pipeline delivered; `text` is what an ideal client shows at the end.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Event = dict[str, Any]

SESSION_ID = "ses_1"
MESSAGE_ID = "msg_1"
PART_ID = "prt_1"


class Trace(NamedTuple):
    """Events as on ``GET /event``, and the text of the one part after all of them."""

    events: list[Event]
    text: str


def deltas_after_a_superseding_snapshot() -> Trace:
    """OpenChamber #889: delivered "Hello ".

    A snapshot that replaced a queued one marked all deltas of its part stale, later ones too.
    """
    return _trace(
        "Hello world",
        _snapshot(""),
        _delta("Hello "),
        _snapshot("Hello "),
        _delta("world"),
    )


def delta_contained_in_the_next_snapshot() -> Trace:
    """OpenChamber #916: delivered "Hello worldworld".

    The second snapshot took the place of the first, in front of a delta that it contains.
    """
    return _trace(
        "Hello world",
        _snapshot("Hello "),
        _delta("world"),
        _snapshot("Hello world"),
    )


def delta_after_snapshot_is_not_merged_across_it() -> Trace:
    """OpenChamber #1647: delivered "ab".

    The last delta merged into the one before the snapshot, which then overwrote both.
    """
    return _trace(
        "abc",
        _snapshot("a"),
        _delta("b"),
        _snapshot("ab"),
        _delta("c"),
    )


def closing_snapshot_in_place_of_the_opening_one() -> Trace:
    """opencode #14820: delivered "HelloHello".

    As #916, with the empty opening snapshot: every delta between counts twice.
    """
    return _trace(
        "Hello",
        _snapshot(""),
        _delta("Hel"),
        _delta("lo"),
        _snapshot("Hello", end=3),
    )


def delta_before_its_part() -> Trace:
    """opencode #26924: the server itself publishes the first delta before the part.

    A client ignores the early delta, so it shows "lo" until the closing snapshot. To hold the
    delta back and apply it after the opening one would be right here, and double text elsewhere.
    """
    return _trace(
        "Hello",
        _delta("Hel"),
        _snapshot(""),
        _delta("lo"),
        _snapshot("Hello", end=3),
    )


ALL: dict[str, Callable[[], Trace]] = {
    "openchamber-889": deltas_after_a_superseding_snapshot,
    "openchamber-916": delta_contained_in_the_next_snapshot,
    "openchamber-1647": delta_after_snapshot_is_not_merged_across_it,
    "opencode-14820": closing_snapshot_in_place_of_the_opening_one,
    "opencode-26924": delta_before_its_part,
}


def _trace(text: str, *body: Event) -> Trace:
    info = {"id": SESSION_ID, "title": "", "time": {"created": 1, "updated": 1}}
    answer: Event = {"id": MESSAGE_ID, "sessionID": SESSION_ID, "role": "assistant"}
    answer |= {"time": {"created": 1}}
    opening = [
        {"type": "session.created", "properties": {"sessionID": SESSION_ID, "info": info}},
        {"type": "message.updated", "properties": {"sessionID": SESSION_ID, "info": answer}},
    ]
    events = [{"id": f"evt_{n:02d}", **event} for n, event in enumerate([*opening, *body])]
    return Trace(events, text)


def _snapshot(text: str, end: int | None = None) -> Event:
    time = {"start": 2} if end is None else {"start": 2, "end": end}
    part: Event = {"id": PART_ID, "messageID": MESSAGE_ID, "sessionID": SESSION_ID}
    part |= {"type": "text", "text": text, "time": time}
    properties = {"sessionID": SESSION_ID, "part": part, "time": 2}
    return {"type": "message.part.updated", "properties": properties}


def _delta(text: str) -> Event:
    ids = {"sessionID": SESSION_ID, "messageID": MESSAGE_ID, "partID": PART_ID}
    return {"type": "message.part.delta", "properties": {**ids, "field": "text", "delta": text}}
