"""Images in a conversation: which a model has refused, and those that are in the spool.

If a refused image were sent again, every later prompt would fail. An image is left out of a
request if the model has refused a request with this image, and has never answered a request with
it. Images that another model refused are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import UNSET

from bus.events.message import AssistantMessage, Failure, ModelRef, UserMessage
from bus.events.part import FilePart, ToolCompleted, ToolPart
from processor.store.history import Said, Utterance
from processor.tools.oversize import whole_url
from processor.tools.spool import Spool

_REFUSALS = (400, 413, 415, 422)
_NAMES_IMAGES = re.compile(r"image|vision|multi-?modal|media", re.IGNORECASE)
_SHOWN = 200
_GONE = "\n(The file that the tool returned does not exist any more.)"


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


def load_images(history: Iterable[Utterance], outputs: Spool) -> None:
    """Load the images that tools have returned, and that are in the spool, into the history."""
    for part in (part for one in history for part in one.parts if isinstance(part, ToolPart)):
        state = part.state
        if not isinstance(state, ToolCompleted) or not state.attachments:
            continue
        for attachment in state.attachments:
            if (url := whole_url(attachment, outputs, part.sessionID)) is not None:
                attachment["url"] = url
            elif "outputID" in attachment:
                state.output += _GONE


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
