"""The container of `deploy/compose.yaml`, as compose reads it."""

from typing import Any

import yaml

from tests.processes import ROOT


def service(text: str = "") -> dict[str, Any]:
    """Return the one service of a compose file, by default of the one in the sources."""
    text = text or (ROOT / "deploy" / "compose.yaml").read_text()
    [found] = yaml.safe_load(text.replace("$$", "$"))["services"].values()
    return found
