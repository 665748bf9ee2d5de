"""Users and followers in one process: ``python -m tests.faults.crowd PLAN``.

PLAN is the JSON of `Plan`. It says ``"ready"`` when every follower has its stream, then works for
as long as the plan says, and ends with what it saw as one line of JSON; ``failure`` in it is null
if every text was whole in every reader.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import quote  # noqa: E402

import gevent  # noqa: E402
import msgspec  # noqa: E402

from tests.faults.follower import Follower  # noqa: E402
from tests.faults.plan import Plan, Seen  # noqa: E402
from tests.faults.users import DIRECTORY, User  # noqa: E402

_INSTANCE = f"/event?directory={quote(DIRECTORY)}"
PATHS = ("/global/event", _INSTANCE, "/global/event?superseded=keep")
_BEGIN_S = 120.0


def work(plan: Plan) -> Seen:
    """Do as planned."""
    with ExitStack() as stack:
        followers = [
            stack.enter_context(
                Follower([url], PATHS[n % len(PATHS)], may_miss=plan.may_miss, name=f"reader {n}")
            )
            for n, url in enumerate(plan.lanes)
        ]
        failure = _all_connected(followers)
        _say("ready")
        users = [
            User(plan.url, followers, random.Random(f"{plan.seed}/{n}")) for n in range(plan.users)
        ]
        until = time.monotonic() + plan.seconds
        failure = failure or _first_failure(users, until)
        return _seen(failure, users, followers)


def _all_connected(followers: Sequence[Follower]) -> str | None:
    end = time.monotonic() + _BEGIN_S
    while not all(follower.witness.events for follower in followers):
        if time.monotonic() > end:
            return "a follower has no stream"
        time.sleep(0.05)
    return None


def _first_failure(users: Sequence[User], until: float) -> str | None:
    """Have all users work; return what the first of them found wrong."""
    jobs = [gevent.spawn(_failure, user, until) for user in users]
    try:
        for job in gevent.iwait(jobs):
            if job.value is not None:
                return str(job.value)
        return None
    finally:
        gevent.killall(jobs)


def _failure(user: User, until: float) -> str | None:
    try:
        user.run(until)
    except Exception as error:
        return "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    return None


def _seen(failure: str | None, users: Sequence[User], followers: Sequence[Follower]) -> Seen:
    witnesses = [follower.witness for follower in followers]
    return Seen(
        failure,
        turns=sum(user.turns for user in users),
        characters=sum(user.characters for user in users),
        connections=sum(one.connections for one in witnesses),
        resumed=sum(one.resumed for one in witnesses),
        events=sum(one.events for one in witnesses),
    )


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _say(msgspec.to_builtins(work(msgspec.json.decode(sys.argv[1], type=Plan))))
