"""The attacking process: ``python -m tests.hostile.attacker NAME PLAN``.

It says ``"begun"`` when the load stands, ``"over"`` when the time is over, and what it has found
when it has given everything back.
"""

import json
import resource
import sys

import msgspec

from tests.hostile.attack import Site, find


class Plan(msgspec.Struct):
    """What the process needs to know."""

    url: str
    state: str
    seed: int
    seconds: float
    size: int


class Found(msgspec.Struct):
    """What an attack says at its end."""

    wrong: list[str]
    note: str


def main(name: str, plan: str) -> None:
    """Run one attack."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    given = msgspec.json.decode(plan, type=Plan)
    site = Site(given.url, given.state, given.seed, given.seconds)
    site.on_begin = lambda: print(json.dumps("begun"), flush=True)
    site.on_end = lambda: print(json.dumps("over"), flush=True)
    find(name).run(site, given.size)
    site.end()
    print(msgspec.json.encode(Found(site.wrong, site.note)).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
