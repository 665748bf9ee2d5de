"""Makes a session's slug: a name of two words that people can say and remember."""

from __future__ import annotations

import secrets

_FIRST = (
    "amber", "brave", "bright", "calm", "clever", "cosmic", "crisp", "eager", "gentle",
    "glowing", "happy", "hidden", "jolly", "kind", "lucky", "mighty", "nimble", "quick",
    "quiet", "silent", "steady", "stellar", "sunny", "swift", "tidy", "witty",
)  # fmt: skip
_SECOND = (
    "brook", "cabin", "cactus", "canyon", "circuit", "comet", "creek", "eagle", "falcon",
    "forest", "garden", "harbor", "island", "lagoon", "meadow", "moon", "otter", "panda",
    "pebble", "planet", "river", "rocket", "squid", "tiger", "wizard", "wolf",
)  # fmt: skip


def new_slug() -> str:
    """Return two random words, such as ``calm-river``; two sessions may get the same slug."""
    return f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}"
