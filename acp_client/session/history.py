"""Turns the messages of a session into updates, for an editor that loads its history."""

from __future__ import annotations

from collections.abc import Iterable

from acp_client.content.blocks import block_of_file
from acp_client.protocol.updates import TextBlock, Update, UsageUpdate, UserChunk
from acp_client.protocol.wire import Part, Stored
from acp_client.session.conversation import Conversation
from acp_client.session.messages import USER


def replay(stored: Iterable[Stored], conversation: Conversation) -> list[Update]:
    """Return the whole history of a session as updates, oldest first.

    Of the token counts only the last is sent, because editors show only the present count.

    Args:
        stored: all messages of the session.
        conversation: learns what the editor has after these updates.
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
    """Return the chunks for a part of a user's message; none if the server has added the part."""
    if part.synthetic or part.ignored:
        return []
    if part.type == "text" and part.text:
        return [UserChunk(content=TextBlock(part.text), messageId=part.messageID)]
    if part.type == "file":
        return [UserChunk(content=block_of_file(part), messageId=part.messageID)]
    return []
