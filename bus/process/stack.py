"""Prints the stack of every thread when a process that hangs is aborted."""

from __future__ import annotations

import faulthandler


def show_stack_at_abort() -> None:
    """Have SIGABRT print where every thread stands, even where the loop does not turn."""
    # Enabling alone changes nothing where it has been enabled before a fork.
    faulthandler.disable()
    faulthandler.enable()
