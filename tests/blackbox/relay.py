"""A processor in front of a fake opencode, and what its readers hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bus.commands import Readiness
from tests.blackbox.processor_driver import Processor, processor
from tests.processes import wait_until
from tests.reference import State, fold

Json = dict[str, Any]


class Relay:
    """The processor, and all it has published."""

    def __init__(self, running: Processor) -> None:
        self.processor = running
        self._frames: list[Json] = []

    def heard(self) -> list[Json]:
        """What was published, as frames of `/global/event`."""
        self._frames += map(as_frame, self.processor.ears.events[len(self._frames) :])
        return list(self._frames)

    def replayed(self) -> list[Json]:
        """All it has published since its last start; the first of that may not be heard."""
        return [as_frame(event) for event in self.processor.replayed()]

    def until(self, condition: Callable[[list[Json]], Any]) -> list[Json]:
        """Wait until `condition` holds of what was published, and return that."""
        self.processor.ears.until(lambda: condition(self.heard()))
        return self.heard()

    def until_count(self, count: int) -> list[Json]:
        """Wait until so many events were published."""
        self.processor.ears.until(lambda: len(self.processor.ears.events) >= count)
        return self.heard()

    def readiness(self) -> Json:
        """What the processor says of itself."""
        answer: Json = self.processor.ask(Readiness())
        return answer

    def until_healed(self, reconnects: int = 0) -> Json:
        """Wait until it is connected, and has nothing left to fetch."""

        def healed() -> Json | None:
            body = self.readiness()
            up = body["upstream"]
            done = up["connected"] and not up["healing"] and up["reconnects"] >= reconnects
            return body if done else None

        return wait_until(healed, what="healing")  # type: ignore[return-value]


@contextmanager
def relay(folder: Path, url: str, *flags: str, **env: str) -> Iterator[Relay]:
    """Run a processor in front of `url` for the time of a ``with`` block."""
    with processor(folder, "--upstream", url, *flags, **env) as running:
        yield Relay(running)


def as_frame(event: Any) -> Json:
    """Return an event of the bus as `/global/event` has it."""
    envelope = event.envelope
    where = {"directory": envelope.directory, "project": envelope.project}
    where["workspace"] = envelope.workspace
    known = {name: value for name, value in where.items() if value is not None}
    return known | {"payload": event.wire}


def held(frames: list[Json]) -> State:
    """Return what a reader holds after frames."""
    return fold(frame["payload"] for frame in frames if frame["payload"]["type"] != "sync")
