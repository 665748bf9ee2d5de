"""Make the standard library cooperative: a call that blocks lets other greenlets run."""

from __future__ import annotations

from gevent import events, monkey


def patch_standard_library() -> None:
    """Patch each module that can block, in this process and in those forked from it.

    gevent looks for plugins before and after each module that it patches: 25 searches through the
    metadata of all installed packages, 0.1 s of CPU in each process. weir has no such plugins.
    """
    events.notify_and_call_entry_points = events.notify  # type: ignore[attr-defined]
    monkey.patch_all()
