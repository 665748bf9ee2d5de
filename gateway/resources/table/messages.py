"""The routes that list, change and remove the messages of a session, and that take prompts."""

from __future__ import annotations

from collections.abc import Sequence

from bus.bodies import PromptBody, ShellBody, SlashBody
from bus.commands import (
    MessageDelete,
    MessageGet,
    MessageList,
    PartPatch,
    Prompt,
    Shell,
    Slash,
    ToolOutput,
)
from bus.events.part import Part
from gateway.errors import BadRequest
from gateway.resources.answers import AnswerAndParts, MessageAndParts
from gateway.resources.route import Delivery, Query, RequestContent, Route

_MAX_LIMIT = 10_000
_PROMPT_REFUSALS = (404, 409, 429, 507)


def _page(given: RequestContent) -> MessageList:
    limit, before = given.query["limit"], given.query["before"]
    if before is not None and limit is None:
        raise BadRequest("before: not allowed without limit", "Query", "before")
    return MessageList(given.path["session"], limit, before)


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/weir/session/{session}/output/{output}",
        words="The whole output of a tool call: the part has its id in `outputID`.",
        command=lambda given: ToolOutput(given.path["session"], given.path["output"]),
        delivery=Delivery.PIECES,
        is_download=True,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/session/{session}/message",
        words="The newest messages before a cursor, the oldest first.",
        command=_page,
        query=(
            Query("limit", "How many; all without it.", "integer", 1, _MAX_LIMIT),
            Query("before", "The ``X-Next-Cursor`` of another page."),
        ),
        answer=list[MessageAndParts],
        delivery=Delivery.PIECES,
        refusals=(404,),
    ),
    Route(
        method="POST",
        path="/session/{session}/message",
        words="Prompt, and wait for the answer. The turn goes on if the client leaves.",
        command=lambda given: Prompt(given.path["session"], given.body),
        body=PromptBody,
        is_prompt=True,
        answer=MessageAndParts,
        delivery=Delivery.TURN,
        refusals=_PROMPT_REFUSALS,
    ),
    Route(
        method="POST",
        path="/session/{session}/prompt_async",
        words="Prompt, and do not wait: the answer comes over the event stream.",
        command=lambda given: Prompt(given.path["session"], given.body),
        body=PromptBody,
        is_prompt=True,
        delivery=Delivery.NOTHING,
        refusals=_PROMPT_REFUSALS,
    ),
    Route(
        method="POST",
        path="/session/{session}/shell",
        words="Run a command in the session's directory, as the user's own, and wait for its end.",
        command=lambda given: Shell(given.path["session"], given.body),
        body=ShellBody,
        answer=AnswerAndParts,
        delivery=Delivery.TURN,
        refusals=_PROMPT_REFUSALS,
    ),
    Route(
        method="POST",
        path="/session/{session}/command",
        words="Prompt with the template of a command, and wait for the answer.",
        command=lambda given: Slash(given.path["session"], given.body),
        body=SlashBody,
        is_prompt=True,
        answer=MessageAndParts,
        delivery=Delivery.TURN,
        refusals=_PROMPT_REFUSALS,
    ),
    Route(
        method="GET",
        path="/session/{session}/message/{message}",
        words="One message with its parts.",
        command=lambda given: MessageGet(given.path["session"], given.path["message"]),
        answer=MessageAndParts,
        delivery=Delivery.PIECES,
        refusals=(404,),
    ),
    Route(
        method="DELETE",
        path="/session/{session}/message/{message}",
        words="Remove a message of a session in which no turn runs.",
        command=lambda given: MessageDelete(given.path["session"], given.path["message"]),
        answer=bool,
        refusals=(404, 409),
    ),
    Route(
        method="DELETE",
        path="/session/{session}/message/{message}/part/{part}",
        words="Remove a part of a message.",
        command=lambda given: MessageDelete(
            given.path["session"], given.path["message"], given.path["part"]
        ),
        answer=bool,
        refusals=(404, 409),
    ),
    Route(
        method="PATCH",
        path="/session/{session}/message/{message}/part/{part}",
        words="Replace a part of a message.",
        command=lambda given: PartPatch(
            given.path["session"], given.path["message"], given.path["part"], given.body
        ),
        body=Part,
        answer=Part,
        refusals=(404, 409, 507),
    ),
)
