"""The order of changes, which holds even when the clock goes back.

The columns that queries sort by (`session.updated`, `message.created`, `message.ended`,
`removal.time`) contain milliseconds since the Unix epoch. If the clock has gone back, a new value
is the last value, or 1 ms after it. The JSON beside the columns has the clock's times.
"""

from __future__ import annotations

LAST = (
    "max(ifnull((SELECT max(updated) FROM session), 0), "
    "ifnull((SELECT time FROM removal ORDER BY number DESC LIMIT 1), 0))"
)
"""SQL for when a session was last created, changed or removed."""
