"""Readers of a deployment, and who of its workers serves them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

from tests.blackbox.weir_up import Up, said
from tests.faults.difference import difference
from tests.faults.follower import Follower
from tests.faults.weir_processes import connections
from tests.processes import wait_until

DIRECTORY = "/srv/demo"
_INSTANCE = f"/event?directory={quote(DIRECTORY)}"
_SILENCE_S = 150.0
"""Far more than a worker says nothing that stands still until its bus has overflown."""
_PATHS = ("/global/event", _INSTANCE, "/global/event?superseded=keep")


class Crew:
    """Followers of one deployment, some on each of its workers.

    Attributes:
        followers: who they are.
    """

    def __init__(self, up: Up, followers: list[Follower]) -> None:
        self.followers = followers
        self._up = up
        wait_until(lambda: all(one.witness.events for one in followers), what="every stream")

    @property
    def connections(self) -> list[int]:
        """How often each has connected so far."""
        return [one.witness.connections for one in self.followers]

    def of_worker(self, pid: int) -> list[Follower]:
        """Return those whom a worker serves."""
        peers = {one.remote_port for one in connections(pid)}
        return [one for one in self.followers if one.port in peers]

    def spread(self, workers: list[int]) -> None:
        """Have some on each worker: who is on a crowded one connects again."""

        def is_spread() -> bool:
            shares = [self.of_worker(pid) for pid in workers]
            if sum(map(len, shares)) == len(self.followers) and not all(shares):
                max(shares, key=len)[0].cut()
            return all(shares) and sum(map(len, shares)) == len(self.followers)

        wait_until(is_spread, what="a follower on each worker")
        # Who has only just connected counts as connected once it is told something.
        self.wait_for_news()

    def wait_for_news(self) -> None:
        """Wait until everybody is told something, a heartbeat if nothing else."""
        before = [one.witness.events for one in self.followers]
        wait_until(
            lambda: all(
                one.witness.events > events
                for one, events in zip(self.followers, before, strict=True)
            ),
            what="a heartbeat for everybody",
        )

    def answers(self, session: str) -> list[str]:
        """Return what each holds of the last answer of a session."""
        return [said(one.witness.state.messages_of(session)[-1]) for one in self.followers]

    def wait_for_text(self, session: str, characters: int) -> None:
        """Wait until everybody holds so much of a session."""
        wait_until(
            lambda: all(len(one.witness.text(session)) >= characters for one in self.followers),
            what=f"{characters} characters of text",
        )

    def hold_what_is_stored(self, session: str) -> list[dict[str, Any]]:
        """Wait until everybody holds what is stored of a session, and return that.

        Raises:
            Broken: somebody got what nobody must ever get.
            AssertionError: somebody misses something.
        """
        messages: list[dict[str, Any]] = []

        def held() -> bool:
            messages[:] = self._up.patiently("GET", f"/session/{session}/message").body
            return all(one.holds(session, messages) for one in self.followers)

        try:
            wait_until(held)
        except TimeoutError:
            held_by = {f.name: f.witness.state.messages_of(session) for f in self.followers}
            missing = {name: difference(held, messages) for name, held in held_by.items()}
            raise AssertionError(f"not held: {missing}\n{self._up.output}") from None
        return messages


@contextmanager
def crew(up: Up, count: int = 6, **how: Any) -> Iterator[Crew]:
    """Have `count` followers for the time of a ``with`` block, some on each worker."""
    workers = up.workers(2)
    with ExitStack() as stack:
        followers = [
            stack.enter_context(
                Follower([up.url], _PATHS[n % len(_PATHS)], _SILENCE_S, name=f"reader {n}", **how)
            )
            for n in range(count)
        ]
        one = Crew(up, followers)
        one.spread(workers)
        yield one
