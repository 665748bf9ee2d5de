"""Cuts what would make the part of a tool call too long; the whole is in a file of the spool.

The part of a call is published whole with each change, and every reader gets each of these events.
So a part should not exceed about 1 MB.
"""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Any

from msgspec.structs import replace

from bus import json
from processor.tools import clip
from processor.tools.spool import Spool
from processor.tools.tool import Outcome

MOST_INPUT_BYTES = 512 * 1024
"""The most bytes of JSON of a call's arguments in its part."""
MOST_URL = 1024 * 1024
"""The most characters of the URL of an attachment, which may contain an image, in a part."""
_MOST_BYTES = 8 * 1024 * 1024  # no tool returns a longer file
_TEXT_LENGTHS = (16 * 1024, 1024, 128)
_DATA_URL = re.compile(r"data:([^;,]*);base64,")


def fitting_input(
    arguments: dict[str, Any], spool: Spool, session: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of a call for its part, and metadata with which clients find the whole.

    The model reads these arguments too, in its next steps. So they keep their shape: only texts
    in them are cut, and say so.
    """
    data = json.encode(arguments)
    if len(data) <= MOST_INPUT_BYTES:
        return arguments, {}
    try:
        file = spool.keep(session, data)
        where, metadata = f"are in {file.path}", file.pointer("input")
    except OSError as error:
        where, metadata = f"could not be saved ({error.strerror or error})", {}
    words = f"characters are left out here; the tool got them. The whole arguments {where}"
    for length in _TEXT_LENGTHS:
        fitting = _cut(arguments, length, words)
        if len(json.encode(fitting)) <= MOST_INPUT_BYTES:
            return fitting, metadata
    return {"arguments": _cut(clip.text_of(data), _TEXT_LENGTHS[0], words)}, metadata


def fitting_outcome(outcome: Outcome, spool: Spool, session: str) -> Outcome:
    """Return a result whose long attachments are in the spool, with URLs at the gateway."""
    if all(len(str(one.get("url"))) <= MOST_URL for one in outcome.attachments):
        return outcome
    fitting = [_saved(one, spool, session) for one in outcome.attachments]
    return replace(outcome, attachments=fitting)


def whole_url(attachment: dict[str, Any], spool: Spool, session: str) -> str | None:
    """Return the ``data:`` URL of an attachment that `fitting_outcome` has put into the spool.

    Return None for another attachment, and if the file does not exist any more.
    """
    # Check each value: clients can set the attachments of a part to any value.
    name, size, mime = (attachment.get(key) for key in ("outputID", "size", "mime"))
    if not isinstance(name, str) or not isinstance(size, int) or not 0 < size <= _MOST_BYTES:
        return None
    data = spool.read(session, name, 0, size)
    return None if data is None else f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _saved(attachment: dict[str, Any], spool: Spool, session: str) -> dict[str, Any]:
    url = str(attachment.get("url"))
    head = _DATA_URL.match(url)
    if head is None or len(url) <= MOST_URL:
        return attachment
    # If the file cannot be saved as a whole, the attachment stays as it is: nothing is lost.
    with contextlib.suppress(OSError, ValueError):
        data = base64.b64decode(url[head.end() :], validate=True)
        file = spool.keep(session, data)
        if len(data) <= min(file.most, _MOST_BYTES):
            return {**attachment, **file.pointer("output"), "url": file.url, "size": len(data)}
    return attachment


def _cut(value: Any, length: int, words: str) -> Any:
    if isinstance(value, dict):
        return {key: _cut(one, length, words) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut(one, length, words) for one in value]
    if not isinstance(value, str) or len(value) <= length:
        return value
    half = length // 2
    left_out = len(value) - 2 * half
    return f"{value[:half]}\n\n...{left_out} {words}...\n\n{value[-half:]}"
