"""Reads how long a token is valid, as users write it: ``30d``, ``12h``, ``5m``, ``never``."""

from __future__ import annotations

import re

ALLOWED = "a number with s, m, h or d (at most ten years), or never"
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TEN_YEARS_S = 3660 * 86400


def seconds(text: str) -> float | None:
    """Return the number of seconds that a text like ``12h`` means; None for ``never``.

    Raises:
        ValueError: the text has another form, or means more than ten years.
    """
    if text == "never":
        return None
    match = _TIME.fullmatch(text)
    if match is None or (found := int(match[1]) * _SECONDS[match[2]]) > _TEN_YEARS_S:
        raise ValueError
    return float(found)
