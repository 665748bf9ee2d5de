"""How many tokens of the model's context a session uses, and what the session has cost."""

from __future__ import annotations

from collections.abc import Mapping

from acp_client.protocol.updates import Cost, UsageUpdate
from acp_client.protocol.wire import Message


class Meter:
    """Counts the tokens and the cost of one session.

    Args:
        sizes: how many tokens fit into the context of each model, by ``PROVIDER/MODEL``.
        cost: the cost of the messages that are not counted here, in US dollars.
    """

    def __init__(self, sizes: Mapping[str, int], cost: float = 0.0) -> None:
        self._sizes = sizes
        self._cost = cost
        self._last: UsageUpdate | None = None

    def count(self, message: Message) -> UsageUpdate | None:
        """Count a message that has ended, and return the update for the editor.

        None if nothing has changed, if the message has no token counts, or if the size of the
        model's context is unknown: editors show which share of the context is used.
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
