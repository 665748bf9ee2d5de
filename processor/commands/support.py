"""Refuses requests that need a feature which this processor lacks; the error names the field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bus.answers import CommandFailed
from bus.bodies import CreateBody, PromptBody
from processor.engines.engine import Offer
from processor.native.permissions import BadPermissions, of_session


def check_new_session(body: CreateBody, offer: Offer, agents: Sequence[str]) -> None:
    """Check the agent, permission rules and model of a new session; `agents`: all known agents.

    Raises:
        CommandFailed: one of these values is not supported.
    """
    _check_agent(body.agent, agents)
    check_permission(body.permission)
    if body.model is not None:
        check_model(body.model.providerID, body.model.id, offer)


def check_permission(permission: Any) -> None:
    """Check the permission rules that a client gives a session.

    Raises:
        CommandFailed: the rules are malformed.
    """
    try:
        of_session(permission)
    except BadPermissions as error:
        raise CommandFailed("invalid", str(error), field="permission") from None


def check_prompt(
    body: PromptBody,
    offer: Offer,
    agents: Sequence[str],
    is_tool: Callable[[str], bool] = lambda _: False,
) -> None:
    """Check the fields of a prompt, with the names of all agents and a test for tools' names.

    Raises:
        CommandFailed: a field has a value that is not supported.
    """
    _check_agent(body.agent, agents)
    if body.model is not None:
        check_model(body.model.providerID, body.model.modelID, offer)
    for field, words in _lacking(body, is_tool):
        raise _refusal(field, words)


def check_model(provider: str, model: str, offer: Offer) -> None:
    """Check that the processor offers a model.

    Raises:
        CommandFailed: the model is unknown.
    """
    if provider != offer.provider or (model != offer.model and not offer.any_model):
        allowed = f"{offer.provider}/{offer.model}"
        raise _refusal("model", f"{provider}/{model} is unknown; allowed is {allowed}")


def _check_agent(agent: str | None, agents: Sequence[str]) -> None:
    if agent and agent not in agents:
        raise _refusal("agent", f"{agent!r} is unknown; allowed: {', '.join(agents)}")


def _lacking(body: PromptBody, is_tool: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield (field, reason) for each value that is not supported.

    Clients usually send ``format: {"type": "text"}``, and ``false`` for tools: both are allowed.
    """
    if body.format is not None and body.format.get("type") != "text":
        yield "format", f"type {body.format.get('type')!r} is not supported; allowed is text"
    for name, wanted in (body.tools or {}).items():
        if wanted and not is_tool(name):
            yield f"tools.{name}", f"there is no tool {name!r} here; allowed is false"


def _refusal(field: str, words: str) -> CommandFailed:
    return CommandFailed("invalid", f"{field}: {words}", field=field)
