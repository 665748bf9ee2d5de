"""How a relay may coalesce the events of a type.

Rules:

1. ``APPEND``: text for a field of an entity. Consecutive texts for one field of one entity are
   joined. The properties are ``sessionID``, the ids of the entity and of its owner, ``field`` and
   ``delta``. An event with any other property is a barrier.
2. ``LATEST``: a snapshot of an entity. It replaces the queued texts for the entity that precede
   it, and the queued *provisional* events of the entity. An event that does not name its entity is
   a barrier.
3. ``BARRIER``: no event moves across it or is replaced across it, within its session; if it has no
   session, in all sessions.
4. ``NEVER``: the event passes whole and in order, and other events may be merged across it.

A type that is not declared is a ``BARRIER``: its meaning is unknown, so no event moves across it.
"""

from __future__ import annotations

import enum


class Policy(enum.Enum):
    """What a relay may do with events of one type."""

    APPEND = "append"
    LATEST = "latest"
    BARRIER = "barrier"
    NEVER = "never"
