"""The options of a session: the model and the mode (opencode calls a mode an agent).

The modes are sent twice: as `modes` for older editors, and as a config option for newer editors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from acp_client.protocol.wire import Session

MODEL, MODE = "model", "mode"


class _Limit(Struct):
    context: float = 0


class _Model(Struct):
    id: str = ""
    name: str = ""
    limit: _Limit = field(default_factory=_Limit)


class _Provider(Struct):
    id: str
    name: str = ""
    models: dict[str, _Model] = {}


class Providers(Struct):
    """The answer to ``GET /config/providers``: the providers of models, with their models."""

    providers: list[_Provider] = []
    default: dict[str, str] = {}


class AgentEntry(Struct):
    """An entry in the answer to ``GET /agent``: an agent, which an editor shows as a mode."""

    name: str
    description: str | None = None
    mode: str = "primary"
    hidden: bool | None = None


class Config(Struct):
    """The answer to ``GET /config``, with the two fields that are needed here."""

    model: str | None = None
    default_agent: str | None = None


class Value(Struct):
    """One model or mode that can be chosen; `value` is its id."""

    value: str
    name: str
    description: str | None = None

    def option(self) -> dict[str, str]:
        """Return the entry for the `options` of an ACP config option of type `select`."""
        described = {"description": self.description} if self.description else {}
        return {"value": self.value, "name": self.name, **described}


class UnknownChoice(ValueError):
    """The editor has chosen a value that does not exist; the message lists the allowed values."""


class Catalogue:
    """The models and modes that a server offers in one folder.

    Attributes:
        models: all models, with ``PROVIDER/MODEL`` as their value.
        sizes: how many tokens fit into the context of each model, by ``PROVIDER/MODEL``.
        modes: all modes that a person can choose.
        model: the model of a new session; empty if the server has no model.
        mode: the mode of a new session; empty if the server has no mode.
    """

    def __init__(self, providers: Providers, agents: Sequence[AgentEntry], config: Config) -> None:
        self.models = [
            Value(f"{provider.id}/{key}", f"{provider.name or provider.id}/{model.name or key}")
            for provider in providers.providers
            for key, model in provider.models.items()
        ]
        self.sizes = {
            f"{provider.id}/{key}": int(model.limit.context)
            for provider in providers.providers
            for key, model in provider.models.items()
        }
        self.modes = [
            Value(agent.name, agent.name.capitalize(), agent.description)
            for agent in agents
            if agent.mode != "subagent" and not agent.hidden
        ]
        defaults = [f"{provider}/{model}" for provider, model in providers.default.items()]
        self.model = _first([config.model, *defaults], self.models)
        self.mode = _first([config.default_agent, "build"], self.modes)


class Choices:
    """The model and the mode that are chosen in one session now."""

    def __init__(self, catalogue: Catalogue, session: Session) -> None:
        self._catalogue = catalogue
        used = session.model.name if session.model else None
        self.model = _first([used, catalogue.model], catalogue.models)
        self.mode = _first([session.agent, catalogue.mode], catalogue.modes)

    def choose(self, option: str, value: str) -> None:
        """Set the option `MODEL` or `MODE`, as the editor asks.

        Raises:
            UnknownChoice: the option or the value does not exist.
        """
        offered = {MODEL: self._catalogue.models, MODE: self._catalogue.modes}.get(option)
        if offered is None:
            raise UnknownChoice(
                f"configId: {option!r} is not an option; allowed are {MODEL}, {MODE}"
            )
        names = [one.value for one in offered]
        if value not in names:
            raise UnknownChoice(f"{option}: {value!r} is unknown; allowed are {', '.join(names)}")
        if option == MODEL:
            self.model = value
        else:
            self.mode = value

    def follow(self, model: str, mode: str) -> bool:
        """Choose the model and the mode that a prompt has used; return whether that is a change.

        The prompt may come from another client. A model or mode that is unknown is ignored.
        """
        before = self.model, self.mode
        self.model = _first([model, self.model], self._catalogue.models)
        self.mode = _first([mode, self.mode], self._catalogue.modes)
        return before != (self.model, self.mode)

    def modes(self) -> dict[str, Any] | None:
        """Return the field `modes` of ACP's answers; None if the server has no modes."""
        if not self._catalogue.modes:
            return None
        available = [
            {"id": mode.value, "name": mode.name, "description": mode.description}
            for mode in self._catalogue.modes
        ]
        return {"currentModeId": self.mode, "availableModes": available}

    def options(self) -> list[dict[str, Any]]:
        """Return the field `configOptions` of ACP's answers: each option, and its choices."""
        found = []
        if self._catalogue.models:
            found.append(_select(MODEL, "Model", self.model, self._catalogue.models))
        if self._catalogue.modes:
            found.append(_select(MODE, "Mode", self.mode, self._catalogue.modes))
        return found


def _select(name: str, title: str, value: str, offered: Sequence[Value]) -> dict[str, Any]:
    return {
        "id": name,
        "name": title,
        "category": name,
        "type": "select",
        "currentValue": value,
        "options": [one.option() for one in offered],
    }


def _first(wanted: Sequence[str | None], offered: Sequence[Value]) -> str:
    """Return the first wanted name that is offered; if there is none, the first offered name."""
    names = [one.value for one in offered]
    return next((name for name in wanted if name in names), names[0] if names else "") or ""
