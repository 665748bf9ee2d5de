"""How full the model's context is, and the cost of a session."""

from __future__ import annotations

from collections.abc import Mapping

from acp_client.protocol.updates import Cost, UsageUpdate
from acp_client.protocol.wire import Message


class Meter:
    """Tracks the tokens and the cost of one session.

    Args:
        sizes: context size of each model in tokens, by ``PROVIDER/MODEL``.
        cost: earlier cost of the session, in US dollars.
    """

    def __init__(self, sizes: Mapping[str, int], cost: float = 0.0) -> None:
        self._sizes = sizes
        self._cost = cost
        self._last: UsageUpdate | None = None

    def count(self, message: Message) -> UsageUpdate | None:
        """Count a message that has ended; return what has changed for the editor, None if nothing.

        None too for a model of unknown context size, since editors show a share of it, and for an
        answer without tokens.
        """
        self._cost += message.cost
        used = message.tokens.context if message.tokens else 0
        size = self._sizes.get(message.model_name, 0)
        if used <= 0 or size <= 0:
            return None
        usage = UsageUpdate(used=used, size=size, cost=Cost(round(self._cost, 9)))
        if usage == self._last:
            return None
        self._last = usage
        return usage
