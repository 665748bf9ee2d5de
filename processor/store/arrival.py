"""The order of arrival, which holds even when the clock goes back.

The columns that queries sort by (`session.updated`, `message.created`, `message.ended`,
`removal.time`) hold milliseconds since the Unix epoch. Where the clock has gone back, a new value
is the last value instead, or 1 ms after it. The JSON beside the columns keeps the clock's times.
"""

from __future__ import annotations

LAST = (
    "max(ifnull((SELECT max(updated) FROM session), 0), "
    "ifnull((SELECT time FROM removal ORDER BY number DESC LIMIT 1), 0))"
)
"""SQL for when a session was last made, changed or removed."""
