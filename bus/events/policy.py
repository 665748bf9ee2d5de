"""How a relay may coalesce the events of a type.

Rules:

1. ``APPEND`` — text for a field of an entity. In a row, the texts for one field of one entity
   concatenate. The properties are ``sessionID``, the entity's id and its owner's, ``field`` and
   ``delta``; with any other property, the event is a barrier.
2. ``LATEST`` — all of an entity. The event stands for the text that was queued for the entity
   before it, and for the *provisional* events of the entity before it. An event that does not
   name its entity is a barrier.
3. ``BARRIER`` — nothing merges across it and nothing before it is superseded by what follows it,
   within its session; without a session, everywhere.
4. ``NEVER`` — passes whole and in order, and stops no merge.

A type that is not declared is a ``BARRIER``: what it means is unknown, so nothing moves past it.
"""

from __future__ import annotations

import enum


class Policy(enum.Enum):
    """What a relay may do with events of one type."""

    APPEND = "append"
    LATEST = "latest"
    BARRIER = "barrier"
    NEVER = "never"
