"""The version of weir that is installed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "weir-events"
"""The name that pip installs; ``weir`` on the package index is another project."""


def installed_version() -> str:
    """Return the version of this installation of weir."""
    return version(DISTRIBUTION)
