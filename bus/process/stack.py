"""Prints the stack of every thread when a process that hangs is aborted."""

from __future__ import annotations

import faulthandler


def show_stack_at_abort() -> None:
    """Make SIGABRT print the stack of every thread, even while the loop does not turn."""
    # Without this, `enable` has no effect in a forked process whose parent has enabled it.
    faulthandler.disable()
    faulthandler.enable()
