"""Turns the stored messages of a session into updates, for an editor that loads the session."""

from __future__ import annotations

from collections.abc import Iterable

from acp_client.content.blocks import block_of_file
from acp_client.protocol.updates import TextBlock, Update, UsageUpdate, UserChunk
from acp_client.protocol.wire import Part, Stored
from acp_client.session.conversation import Conversation
from acp_client.session.messages import USER


def replay(stored: Iterable[Stored], conversation: Conversation) -> list[Update]:
    """Return the whole history as updates, oldest first; the conversation continues from there.

    Only the last usage is sent: it is the present state of the session.
    """
    updates: list[Update] = []
    usage: UsageUpdate | None = None
    for message in stored:
        if message.info.role == USER:
            conversation.choices.follow(message.info.model_name, message.info.agent)
            conversation.was_shown(message.info)
            updates += [chunk for part in message.parts for chunk in _said(part)]
            continue
        for update in conversation.catch_up([message]):
            if isinstance(update, UsageUpdate):
                usage = update
            else:
                updates.append(update)
    return updates if usage is None else [*updates, usage]


def _said(part: Part) -> list[UserChunk]:
    """Return what the person wrote or attached, without what the server has added."""
    if part.synthetic or part.ignored:
        return []
    if part.type == "text" and part.text:
        return [UserChunk(content=TextBlock(part.text), messageId=part.messageID)]
    if part.type == "file":
        return [UserChunk(content=block_of_file(part), messageId=part.messageID)]
    return []
