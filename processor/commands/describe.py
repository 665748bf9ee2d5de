"""The data that clients of opencode load when they start: models, agents, commands and folders."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bus.answers import CommandFailed
from bus.process.fairness import LOOKUP_SLICE_S, TimeSlice
from processor.agents.agents import Agents
from processor.commands import describe_v2, slash
from processor.commands.slash import SlashCommand
from processor.commands.vcs import branches
from processor.engines.engine import Offer
from processor.folders import Folders
from processor.native.modes import AgentMode, Modes
from processor.native.projects import Project
from processor.native.statuses import LiveStatuses
from processor.store import sessions
from processor.store.database import Database
from processor.tools.tool import Tool

OUTPUT_TOKENS = 32_000


class KnownFolders(Struct, frozen=True):
    """The folders that ``GET /path`` shows: weir's state folder, and the user's home folder."""

    state: str
    home: str


class Descriptions:
    """Builds the answers that describe this processor, in the JSON forms of opencode's API.

    Attributes:
        tools: the tools that the model may call.
    """

    def __init__(
        self,
        database: Database,
        offer: Offer,
        agents: Agents,
        modes: Modes,
        known: KnownFolders,
        started_ms: int,
        statuses: LiveStatuses,
        folders: Folders,
    ) -> None:
        self._folders = folders
        self._statuses = statuses
        self._database = database
        self._agents = agents
        self._modes = modes
        self._offer = offer
        self._known = known
        self._started_ms = started_ms
        self.tools: Sequence[Tool] = ()

    def of(self, what: str, directory: str) -> Any:
        """Return the body of the answer to ``GET /`` + `what`, for a directory."""
        if what.startswith("api/"):
            return self._v2(what.removeprefix("api/"), directory)
        return getattr(self, "_" + what.replace("/", "_"))(directory)

    def directories(self, project: str) -> list[dict[str, str]]:
        """Return the directories of a project (by its id) in which there are sessions."""
        turn = TimeSlice(LOOKUP_SLICE_S)
        found = []
        for where, _ in self._database.call(sessions.directories):
            turn.pass_on_if_over()
            known = self._project_of(where)
            if known is not None and known.id == project:
                found.append({"directory": where})
        return found

    def _v2(self, what: str, directory: str) -> dict[str, Any]:
        where = describe_v2.location(directory, self._folders.project(directory))
        if what == "location":
            return where
        if what == "session/active":
            return {"data": {name: {"type": "running"} for name in self._statuses.of(None)}}
        return {"location": where, "data": self._v2_data(what, directory)}

    def _v2_data(self, what: str, directory: str) -> list[Any]:
        if what == "agent":
            return [describe_v2.agent(one) for one in self._agent(directory)]
        if what == "command":
            return [describe_v2.command(one) for one in self._command(directory)]
        offered = self._offered()
        if what == "provider":
            return [describe_v2.provider(offered)]
        if what == "model":
            return [describe_v2.model(one) for one in offered["models"].values()]
        return []  # a processor has no integrations, references or skills

    def _command(self, directory: str) -> list[SlashCommand]:
        return self._folders.run(directory, slash.commands, directory)

    def _experimental_tool(self, directory: str) -> list[dict[str, Any]]:
        return [
            {"id": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in self.tools
        ]

    def _experimental_tool_ids(self, directory: str) -> list[str]:
        return [tool.name for tool in self.tools]

    def _vcs(self, directory: str) -> dict[str, str]:
        project = self._folders.project(directory)
        return self._folders.run(directory, branches, project)

    def _config(self, directory: str) -> dict[str, Any]:
        return {"model": f"{self._offer.provider}/{self._offer.model}"}

    def _config_providers(self, directory: str) -> dict[str, Any]:
        return {"providers": [self._offered()], "default": self._default()}

    def _provider(self, directory: str) -> dict[str, Any]:
        return {
            "all": [self._offered()],
            "default": self._default(),
            "connected": [self._offer.provider],
        }

    def _agent(self, directory: str) -> list[dict[str, Any]]:
        names = self._agents.names
        served = {name for name in names if self._agents.takes_prompts(name)}
        own = [_mode(mode) for name, mode in self._modes.items() if name not in served]
        return [*own, *(_agent(name) for name in names if name in served)]

    def _path(self, directory: str) -> dict[str, str]:
        return {
            "home": self._known.home,
            "state": self._known.state,
            "config": self._known.state,
            "worktree": self._folders.project(directory).worktree,
            "directory": directory,
        }

    def _project_current(self, directory: str) -> dict[str, Any]:
        project = self._folders.project(directory)
        return next(found for found in self._project(directory) if found["id"] == project.id)

    def _project(self, directory: str) -> list[dict[str, Any]]:
        """Return the projects of all sessions, and the project of `directory`."""
        changed: dict[Project, int] = {self._folders.project(directory): self._started_ms}
        turn = TimeSlice(LOOKUP_SLICE_S)
        for where, updated in self._database.call(sessions.directories):
            turn.pass_on_if_over()
            if (project := self._project_of(where)) is not None:
                changed[project] = max(updated, changed.get(project, 0))
        return [_project(project, updated) for project, updated in changed.items()]

    def _project_of(self, directory: str) -> Project | None:
        """Return the project of a session's directory; None if it does not answer in time."""
        with contextlib.suppress(CommandFailed):
            return self._folders.project(directory)
        return None

    def _default(self) -> dict[str, str]:
        return {self._offer.provider: self._offer.model}

    def _offered(self) -> dict[str, Any]:
        return {
            "id": self._offer.provider,
            "name": self._offer.provider_name,
            "source": "config",
            "env": [],
            "options": {},
            "models": {self._offer.model: _model(self._offer)},
        }


def _mode(mode: AgentMode) -> dict[str, Any]:
    return {
        "name": mode.name,
        "description": mode.description,
        "mode": mode.kind,
        "native": True,
        "permission": mode.rules,
        "options": {},
    }


def _agent(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "An agent that has connected.",
        "mode": "primary",
        "native": False,
        "permission": [],
        "options": {},
    }


def _project(project: Project, updated: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": project.id,
        "worktree": project.worktree,
        "time": {"created": updated, "updated": updated},
        "sandboxes": [],
    }
    return {**body, "vcs": "git"} if project.is_git else body


def _model(offer: Offer) -> dict[str, Any]:
    kinds = {"text": True, "audio": False, "image": False, "video": False, "pdf": False}
    return {
        "id": offer.model,
        "providerID": offer.provider,
        "api": {"id": offer.model, "url": offer.url, "npm": "@ai-sdk/openai-compatible"},
        "name": offer.model,
        "capabilities": {
            "temperature": False,
            "reasoning": True,
            "attachment": offer.any_model,
            "toolcall": True,
            "input": {**kinds, "image": offer.any_model},
            "output": kinds,
            "interleaved": False,
        },
        "cost": {"input": 0, "output": 0, "cache": {"read": 0, "write": 0}},
        "limit": {"context": offer.context, "output": OUTPUT_TOKENS},
        "status": "active",
        "options": {},
        "headers": {},
        "release_date": "",
    }
