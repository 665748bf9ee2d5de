"""What msgspec raises for bytes that it cannot decode: not all of it is its own."""

from __future__ import annotations

import msgspec

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
