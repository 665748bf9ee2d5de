"""Converts descriptions from the forms of opencode's first API to the forms of its v2 API."""

from __future__ import annotations

from typing import Any

from bus.events.session import Session
from processor.commands.slash import SlashCommand
from processor.native.projects import Project

_NO_REQUEST: dict[str, Any] = {"headers": {}, "body": {}}
_PACKAGE = "@ai-sdk/openai-compatible"


def location(directory: str, project: Project) -> dict[str, Any]:
    """Return the v2 form of a directory with its project."""
    about = {"id": project.id, "directory": project.worktree}
    return {"directory": directory, "project": about}


def agent(found: dict[str, Any]) -> dict[str, Any]:
    """Return the v2 form of an agent from `GET /agent`."""
    rules = [
        {"action": rule.permission, "resource": rule.pattern, "effect": rule.action}
        for rule in found["permission"]
    ]
    return {
        "id": found["name"],
        "request": _NO_REQUEST,
        "description": found["description"],
        "mode": found["mode"],
        "hidden": False,
        "permissions": rules,
    }


def command(found: SlashCommand) -> dict[str, Any]:
    """Return the v2 form of a command from `GET /command`."""
    described = {"name": found.name, "template": found.template}
    return described | ({"description": found.description} if found.description else {})


def provider(found: dict[str, Any]) -> dict[str, Any]:
    """Return the v2 form of a provider from `GET /config/providers`."""
    url = next(iter(found["models"].values()))["api"]["url"]
    api = {"type": "aisdk", "package": _PACKAGE, "url": url}
    return {"id": found["id"], "name": found["name"], "api": api, "request": _NO_REQUEST}


def model(found: dict[str, Any]) -> dict[str, Any]:
    """Return the v2 form of a model from `GET /config/providers`."""
    able = found["capabilities"]
    return {
        "id": found["id"],
        "providerID": found["providerID"],
        "name": found["name"],
        "api": {
            "id": found["id"],
            "type": "aisdk",
            "package": _PACKAGE,
            "url": found["api"]["url"],
        },
        "capabilities": {
            "tools": able["toolcall"],
            "input": [kind for kind, can in able["input"].items() if can],
            "output": [kind for kind, can in able["output"].items() if can],
        },
        "request": _NO_REQUEST,
        "variants": [],
        "time": {"released": 0},
        "cost": [found["cost"]],
        "status": found["status"],
        "enabled": True,
        "limit": found["limit"],
    }


def session(found: Session) -> dict[str, Any]:
    """Return a session as the routes below ``/api`` (v2 of opencode's API) describe it."""
    described: dict[str, Any] = {
        "id": found.id,
        "projectID": found.projectID,
        "cost": found.cost or 0,
        "tokens": found.tokens,
        "time": found.time,
        "title": found.title,
        "location": {"directory": found.directory},
    }
    for name in ("parentID", "agent", "model", "revert"):
        if value := getattr(found, name):
            described[name] = value
    return described
