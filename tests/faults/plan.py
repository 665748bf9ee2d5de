"""What the crowd of a soak is told, and what it tells."""

from msgspec import Struct


class Plan(Struct):
    """What the crowd is to do.

    Attributes:
        url: where users work: of weir, or of its upstream.
        lanes: a URL for each follower.
        users: how many prompt at once.
        seconds: how long.
        seed: decides the prompts.
        may_miss: see `tests.faults.witness.Witness`.
    """

    url: str
    lanes: list[str]
    users: int
    seconds: float
    seed: int
    may_miss: bool


class Seen(Struct):
    """What came of it.

    Attributes:
        failure: the first thing found wrong, in words.
        turns: answers that every follower held in the end.
        characters: of their texts.
        connections: of all followers, `resumed` of them exactly.
        events: that all followers got.
    """

    failure: str | None = None
    turns: int = 0
    characters: int = 0
    connections: int = 0
    resumed: int = 0
    events: int = 0
