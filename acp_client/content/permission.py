"""Converts opencode's request for a permission to ACP's request, and the answer back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from acp_client.content.diffs import diff_of_permission
from acp_client.content.locations import absolute
from acp_client.content.tools import PENDING, kind_of
from acp_client.protocol.shapes import learned
from acp_client.protocol.updates import Location, NewToolCall, ToolCallUpdate
from acp_client.protocol.wire import PermissionRequest

REJECT = "reject"
_OPTIONS = (
    {"optionId": "once", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "always", "name": "Always allow", "kind": "allow_always"},
    {"optionId": REJECT, "name": "Reject", "kind": "reject_once"},
)


class _Outcome(Struct):
    outcome: str = "cancelled"
    optionId: str = ""


class ChosenOption(Struct):
    """The editor's answer to ``session/request_permission``: the option that was chosen."""

    outcome: _Outcome


def question(permission: PermissionRequest, session_id: str, directory: str) -> dict[str, Any]:
    """Return the parameters of ``session/request_permission``.

    Args:
        permission: the request of opencode.
        session_id: the session that the editor has open; if a subagent asks, this is the session
            that has started the subagent.
        directory: the folder of this session.
    """
    call = ToolCallUpdate(
        toolCallId=permission.tool.callID or permission.id,
        title=_title(permission),
        kind=kind_of(permission.permission),
        content=[*diff_of_permission(permission.metadata, directory)] or UNSET,
        locations=_locations(permission, directory) or UNSET,
        rawInput=permission.metadata,
    )
    fields = msgspec.to_builtins(call)
    del fields["sessionUpdate"]
    return {"sessionId": session_id, "toolCall": fields, "options": list(_OPTIONS)}


def call(permission: PermissionRequest) -> NewToolCall:
    """Return the tool call that waits for the permission, to show it to the editor first."""
    return NewToolCall(
        toolCallId=permission.tool.callID,
        title=_title(permission),
        kind=kind_of(permission.permission),
        status=PENDING,
        rawInput=permission.metadata,
    )


def reply(result: Any) -> str:
    """Return opencode's reply for the editor's answer: ``once``, ``always`` or ``reject``.

    An answer that cannot be read, or that chooses no option, is a rejection.
    """
    try:
        outcome = msgspec.convert(result, learned(ChosenOption)).outcome
    except msgspec.ValidationError:
        return REJECT
    given = outcome.optionId if outcome.outcome == "selected" else REJECT
    return given if given in ("once", "always") else REJECT


def _title(permission: PermissionRequest) -> str:
    command = permission.metadata.get("command")
    if isinstance(command, str) and command:
        return command
    return " ".join(
        [permission.permission or "permission", ", ".join(permission.patterns)]
    ).strip()


def _locations(permission: PermissionRequest, directory: str) -> list[Location]:
    path = permission.metadata.get("filepath")
    return [Location(absolute(path, directory))] if isinstance(path, str) and path else []
