"""What a source has published; a processor's publisher has it, and so has a bridge's mirror."""

from __future__ import annotations

from typing import Protocol

from bus.ledger import Ledger
from bus.log import Log


class SourceHistory(Protocol):
    """The events of one source in its current epoch, as far as they are kept."""

    @property
    def source(self) -> str:
        """The name of the source."""

    @property
    def epoch(self) -> str:
        """The current epoch."""

    @property
    def seq(self) -> int:
        """The number of the last event."""

    @property
    def journal(self) -> Log:
        """The latest events, each at the position of its seq."""

    @property
    def ledger(self) -> Ledger:
        """The state after all events."""

    def flush(self) -> None:
        """Finish what is not in `seq` yet."""
