"""Finds the error message in an error of a provider, whatever its form."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Any

from bus import json

MOST_CHARACTERS = 2000
MOST_READ = 64 * 1024
_MOST_LINES = 20
_MOST_LEVELS = 8
_MOST_SENTENCES = 5
_KEYS = (
    "error",
    "errors",
    "message",
    "Message",
    "Error",
    "err",
    "exception",
    "detail",
    "details",
    "msg",
    "error_msg",
    "error_message",
    "errorMessage",
    "error_description",
    "status_msg",
    "faultstring",
    "fault",
    "reason",
    "title",
    "description",
    "text",
)
# Fields that are used if there is no message: the error's name is better than nothing.
_NAMES = ("code", "type", "status")
# Matches tags and comments of HTML. No branch looks beyond the next tag, so the time is linear in
# the size of the page.
_UNSEEN = re.compile(r"<(?:script|style)\b[^<]*|<[^<>]*>|<!--[^<]*-->", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PREFIX = re.compile(r"^(data|error):\s*", re.MULTILINE)


def in_body(body: str) -> str | None:
    """Return the message in the body of an answer: JSON, an event stream, a page, plain text."""
    plain = _PREFIX.sub("", body[:MOST_READ].strip())
    try:
        return in_value(json.decode(plain.encode(errors="replace")))
    except ValueError:
        pass
    for line in plain.splitlines()[:_MOST_LINES]:
        with contextlib.suppress(ValueError):
            if line[:1] in "{[" and (said := in_value(json.decode(line.encode(errors="replace")))):
                return said
    return _shortened(_UNSEEN.sub(" ", plain) if plain.startswith("<") else plain)


def in_value(value: Any, levels: int = _MOST_LEVELS) -> str | None:
    """Return the message in a decoded error, None if there is none."""
    if isinstance(value, str):
        return _shortened(value)
    if isinstance(value, list) and levels:
        return _joined(in_value(one, levels - 1) for one in value[:_MOST_SENTENCES])
    if isinstance(value, dict) and levels:
        return _in_object(value, levels - 1)
    return None


def _in_object(value: dict[str, Any], levels: int) -> str | None:
    sentence = next((said for key in _KEYS if (said := in_value(value.get(key), levels))), None)
    fields = value.get("errors")
    if sentence is None and isinstance(fields, dict):  # a message for each field
        found = {
            name: in_value(said, levels) for name, said in list(fields.items())[:_MOST_SENTENCES]
        }
        sentence = _joined(f"{name}: {said}" for name, said in found.items() if said)
    if sentence is None:
        names = (value.get(key) for key in _NAMES)
        return next((_shortened(name) for name in names if isinstance(name, str) and name), None)
    where = value.get("loc")
    if isinstance(where, list):  # FastAPI names the wrong field here
        sentence = f"{'.'.join(map(str, where))}: {sentence}"
    behind = value.get("metadata")
    if isinstance(behind, dict) and (raw := behind.get("raw")):  # of OpenRouter
        return _joined([sentence, in_body(raw) if isinstance(raw, str) else in_value(raw, levels)])
    return sentence


def _joined(sentences: Iterable[str | None]) -> str | None:
    return _shortened("; ".join(dict.fromkeys(said for said in sentences if said)))


def _shortened(text: str) -> str | None:
    words = " ".join(_CONTROL.sub(" ", text.encode(errors="replace").decode()).split())
    return words[: MOST_CHARACTERS - 1] + "…" if len(words) > MOST_CHARACTERS else words or None
