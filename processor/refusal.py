"""What keeps a processor from starting, apart from a bad flag."""

from __future__ import annotations


class CannotStart(Exception):
    """The processor cannot start; the message is one line that says why and what to do."""
