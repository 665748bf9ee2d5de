"""Finds images that a model has refused: if they were sent again, every later prompt would fail.

An image is left out of a request if the model has refused a request with this image, and has never
answered one with it. Images that another model refused are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import UNSET

from bus.events.message import AssistantMessage, Failure, ModelRef, UserMessage
from bus.events.part import FilePart
from processor.store.history import Said, Utterance

_REFUSALS = (400, 413, 415, 422)
_NAMES_IMAGES = re.compile(r"image|vision|multi-?modal|media", re.IGNORECASE)
_SHOWN = 200


def is_image(part: Said) -> bool:
    """Return whether a part of a prompt is an image that can be sent to the model."""
    if not isinstance(part, FilePart) or not part.mime.lower().startswith("image/"):
        return False
    return part.url[:6].lower().startswith(("data:", "http:", "https:"))


def refused_images(history: Iterable[Utterance]) -> dict[str, str]:
    """Return the images not to send again: the provider's message of refusal by the part's id."""
    history = list(history)
    prompts = [one.message for one in history if isinstance(one.message, UserMessage)]
    asked = prompts[-1].model if prompts else None
    refused: dict[str, str] = {}
    unproven: list[str] = []
    for utterance in history:
        if isinstance(utterance.message, UserMessage):
            unproven += [part.id for part in utterance.parts if is_image(part)]
        elif _is_of(utterance.message, asked):
            words = _refusal(utterance.message.error)
            if words is not None:
                refused.update(dict.fromkeys(unproven, words))
            if words is not None or utterance.message.error is UNSET:
                unproven = []
    return refused


def _is_of(answer: AssistantMessage, asked: ModelRef | None) -> bool:
    return asked is not None and (answer.providerID, answer.modelID) == (
        asked.providerID,
        asked.modelID,
    )


def _refusal(failure: Failure | object) -> str | None:
    """Return the message of a failure if an image may have caused the failure, else None."""
    if not isinstance(failure, Failure):
        return None
    data = failure.data
    words = str(data.get("message", failure.name))
    suspect = failure.name == "ContextOverflowError" or (
        failure.name == "APIError"
        and (
            data.get("statusCode") in _REFUSALS
            or _NAMES_IMAGES.search(f"{words} {data.get('responseBody', '')}") is not None
        )
    )
    return words[:_SHOWN] if suspect else None
