"""What travels over the bus in its benchmark: deltas as a model's answer gives them."""

from bus.events import Delta
from bus.ids import Ids

DIRECTORY = "/srv/demo/proj1"
PROJECT = "2f5a1c0e9b7d4386a1e0c5d2b8f7364910aecd57"


def deltas(count: int, size: int) -> list[Delta]:
    """Return `count` deltas of one part, `size` characters each."""
    ids = Ids()
    where = (ids.descending("ses"), ids.ascending("msg"), ids.ascending("prt"), "text")
    filling = "x" * (size - 8)
    return [Delta(ids.ascending("evt"), *where, f"{n:07d}|{filling}") for n in range(count)]
