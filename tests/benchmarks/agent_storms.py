"""An agent of one's own for the benchmark: answers ``COUNT SIZE EACH`` with a storm.

Each call of `weir.Turn.text` has so many deltas.
"""

import sys
from itertools import islice

import weir


def answer(turn: weir.Turn) -> None:
    """Write the storm that the prompt asks for, each delta with its number as the demo model's."""
    count, size, each = map(int, turn.prompt.split())
    filling = "x" * max(0, size - 9) + " "
    deltas = (f"{number:07d}|{filling}"[:size] for number in range(count))
    while some := list(islice(deltas, each)):
        turn.text(*some)


if __name__ == "__main__":
    weir.serve(answer, sys.argv[1], name="storms")
