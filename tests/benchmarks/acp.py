"""What an ACP agent asks its server for in one turn: ``python -m tests.benchmarks.acp``.

A scripted provider streams one turn of 10,000 deltas in 5 texts through a real opencode, as fast
as it can, to an editor at the end of a pipe. Each agent has the turn twice in servers of its own:
with a proxy that counts what it asks its server for, and with nothing in between for the times.
opencode's own agents are their own servers, and ask themselves over HTTP.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from deploy.bench.table import table
from tests.benchmarks import machine
from tests.benchmarks.acp_target import NAMES
from tests.benchmarks.acp_turn import Asked, Parts, Turn, asked, turn
from tests.benchmarks.child import ended_by_sigterm


class Measured(msgspec.Struct):
    """An agent, what it asked for, and its turns."""

    name: str
    asked: Asked
    turns: list[Turn]


def main() -> int:
    """Measure every agent, print the table; return 1 if one of weir's reads a message back."""
    options = _options()
    ended_by_sigterm()
    parts = Parts(options.texts, options.deltas, options.size)
    where = machine.described()
    measured = [_measured(name, parts, options.rounds) for name in options.agent or NAMES]
    print(f"{where}; a turn of {parts.deltas:,} deltas of {parts.size} characters in ", end="")
    print(f"{parts.texts} texts; times: the best of {options.rounds}\n\n{_table(measured)}")
    if options.json:
        result = {"machine": where, "parts": parts, "measured": measured}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    ours = [one for one in measured if one.name.startswith("weir")]
    return int(any(one.asked.messages or one.asked.histories for one in ours))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="ACP agents under one storm")
    parser.add_argument("--rounds", type=int, default=3, help="turns that are timed")
    parser.add_argument("--deltas", type=int, default=10_000, help="in one turn")
    parser.add_argument("--texts", type=int, default=5, help="that they are in")
    parser.add_argument("--size", type=int, default=40, help="characters of a delta, 9 or more")
    parser.add_argument("--agent", choices=NAMES, action="append", help="may be repeated")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    return parser.parse_args()


def _measured(name: str, parts: Parts, rounds: int) -> Measured:
    print(f"{name} …", file=sys.stderr, flush=True)
    return Measured(name, asked(name, parts), [turn(name, parts) for _ in range(rounds)])


def _table(measured: list[Measured]) -> str:
    head = ["agent", "requests", "message GETs", "history GETs", "chunks", "after the answer"]
    head += ["missing", "answer s", "last chunk s", "CPU s agent", "with servers", "launch ms"]
    return table(head, [_row(one) for one in measured])


def _row(one: Measured) -> list[str]:
    best = min(one.turns, key=lambda turn: turn.last_s)
    is_server = best.agent_cpu_s == best.all_cpu_s
    return [
        one.name,
        f"{one.asked.requests:,}",
        f"{one.asked.messages:,}",
        f"{one.asked.histories:,}",
        f"{best.chunks:,}",
        f"{best.late:,}",
        f"{max(turn.missing for turn in one.turns):,}",
        f"{best.answer_s:.2f}",
        f"{best.last_s:.2f}",
        "-" if is_server else f"{best.agent_cpu_s:.2f}",
        f"{best.all_cpu_s:.2f}",
        f"{min(turn.launch_ms for turn in one.turns):.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
