"""Make the standard library cooperative: a call that blocks lets other greenlets run."""

from __future__ import annotations

from gevent import events, monkey


def patch_standard_library() -> None:
    """Patch each module that can block, for this process and all processes forked from it.

    gevent looks for plugins before and after each module that it patches. These are 25 searches in
    the metadata of all installed packages, which take 0.1 s of CPU. weir has no such plugins.
    """
    events.notify_and_call_entry_points = events.notify  # type: ignore[attr-defined]
    monkey.patch_all()
