"""The parameters of ACP's methods, as far as the agent reads them, named as on the wire."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from acp_client.content.blocks import PromptBlock
from acp_client.protocol.jsonrpc import INVALID_PARAMS, Id, RpcError
from acp_client.protocol.shapes import learned

_T = TypeVar("_T")


class ClientSession(Struct):
    """Which optional content of a session the editor shows; None: not shown."""

    notices: dict[str, Any] | None = None


class Elicitation(Struct):
    """How the editor can ask a person: not None if it can."""

    form: dict[str, Any] | None = None


class ClientCapabilities(Struct):
    """What the editor can do."""

    session: ClientSession | None = None
    elicitation: Elicitation | None = None

    @property
    def notices(self) -> bool:
        """Whether the editor shows notices."""
        return self.session is not None and self.session.notices is not None

    @property
    def forms(self) -> bool:
        """Whether the editor can show a form."""
        return self.elicitation is not None and self.elicitation.form is not None


class Initialize(Struct):
    """``initialize``."""

    protocolVersion: int
    clientCapabilities: ClientCapabilities | None = None


class NewSession(Struct):
    """``session/new``."""

    cwd: str
    mcpServers: Any = None


class OldSession(Struct):
    """``session/load`` and ``session/resume``."""

    sessionId: str
    cwd: str
    mcpServers: Any = None


class OneSession(Struct):
    """``session/close``, ``session/delete`` and ``session/cancel``."""

    sessionId: str


class ListSessions(Struct):
    """``session/list``."""

    cwd: str | None = None
    cursor: str | None = None


class SetMode(Struct):
    """``session/set_mode``."""

    sessionId: str
    modeId: str


class SetOption(Struct):
    """``session/set_config_option``."""

    sessionId: str
    configId: str
    value: str


class SessionPrompt(Struct):
    """``session/prompt``."""

    sessionId: str
    prompt: list[PromptBlock]


class CancelRequest(Struct):
    """``$/cancel_request``."""

    requestId: Id


def params(raw: Raw, kind: type[_T]) -> _T:
    """Decode parameters.

    Raises:
        RpcError: they do not have the form that the method needs.
    """
    try:
        return msgspec.json.decode(raw, type=learned(kind))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(INVALID_PARAMS, f"wrong parameters: {error}") from None
