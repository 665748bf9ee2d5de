"""The parameters of the ACP methods that an editor calls, with the fields that the agent reads."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from acp_client.content.blocks import PromptBlock
from acp_client.protocol.jsonrpc import INVALID_PARAMS, Id, RpcError
from acp_client.protocol.shapes import learned

_T = TypeVar("_T")


class ClientSession(Struct):
    """The optional updates of a session that the editor can show; None: it cannot show them."""

    notices: dict[str, Any] | None = None


class Elicitation(Struct):
    """The ways in which the editor can ask a person; `form` is None if it cannot show forms."""

    form: dict[str, Any] | None = None


class ClientCapabilities(Struct):
    """The optional features of the editor, which it names in ``initialize``."""

    session: ClientSession | None = None
    elicitation: Elicitation | None = None

    @property
    def notices(self) -> bool:
        """Whether the editor can show notices."""
        return self.session is not None and self.session.notices is not None

    @property
    def forms(self) -> bool:
        """Whether the editor can show a form to ask a person."""
        return self.elicitation is not None and self.elicitation.form is not None


class Initialize(Struct):
    """The parameters of ``initialize``."""

    protocolVersion: int
    clientCapabilities: ClientCapabilities | None = None


class NewSession(Struct):
    """The parameters of ``session/new``."""

    cwd: str
    mcpServers: Any = None


class OldSession(Struct):
    """The parameters of ``session/load`` and ``session/resume``."""

    sessionId: str
    cwd: str
    mcpServers: Any = None


class OneSession(Struct):
    """The parameters of ``session/close``, ``session/delete`` and ``session/cancel``."""

    sessionId: str


class ListSessions(Struct):
    """The parameters of ``session/list``."""

    cwd: str | None = None
    cursor: str | None = None


class SetMode(Struct):
    """The parameters of ``session/set_mode``."""

    sessionId: str
    modeId: str


class SetOption(Struct):
    """The parameters of ``session/set_config_option``."""

    sessionId: str
    configId: str
    value: str


class SessionPrompt(Struct):
    """The parameters of ``session/prompt``."""

    sessionId: str
    prompt: list[PromptBlock]


class CancelRequest(Struct):
    """The parameters of ``$/cancel_request``."""

    requestId: Id


def params(raw: Raw, kind: type[_T]) -> _T:
    """Decode the parameters of a method as `kind`.

    Raises:
        RpcError: a parameter is missing, or has the wrong type.
    """
    try:
        return msgspec.json.decode(raw, type=learned(kind))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(INVALID_PARAMS, f"the parameters are wrong: {error}") from None
