"""The time order of changes, which stays correct when the machine's clock is set back.

The columns that queries sort by (`session.updated`, `message.created`, `message.ended`,
`removal.time`) contain milliseconds since the Unix epoch. If the clock was set back, a new value
is the largest value so far, or 1 ms more. The JSON beside the columns has the clock's own times.
"""

from __future__ import annotations

LAST = (
    "max(ifnull((SELECT max(updated) FROM session), 0), "
    "ifnull((SELECT time FROM removal ORDER BY number DESC LIMIT 1), 0))"
)
"""An SQL expression: the last time (Unix ms) when a session was created, changed or removed."""
