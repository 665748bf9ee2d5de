"""Bodies of ours against the schemas of opencode's own OpenAPI document."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from bus.answers import CommandFailed
from bus.bodies import (
    CreateBody,
    FileInput,
    PromptBody,
    SessionModelInput,
    TextInput,
)
from bus.commands import Describe, Files, MessageList, SessionGet, SessionList
from bus.events.message import Failure
from bus.events.part import TokenCounts
from bus.process import fairness
from processor.commands import describe
from processor.commands.describe import Descriptions, KnownFolders
from processor.commands.dispatch import Dispatch
from processor.commands.files import FileCommands
from processor.commands.mcp import McpCommands
from processor.engines.demo import DemoEngine
from processor.engines.failures import ProviderRefusal, interrupted, refused
from processor.folders import Folders
from processor.native.shell import ShellCommands
from processor.tools import searching
from processor.tools.command import Programs
from processor.tools.process import ToolProcesses
from processor.tools.searching import Searches
from tests.unit.processor.rig import DIRECTORY, Rig

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADU"
    "lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OPENAPI = json.loads(
    (Path(__file__).parents[3] / "recordings" / "openapi.json").read_text(encoding="utf-8")
)


def check(body: Any, path: str, method: str = "get") -> None:
    answer = OPENAPI["paths"][path][method]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    validate(body, schema)


def validate(body: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(body, {**schema, "components": OPENAPI["components"]})


@pytest.fixture
def dispatch(rig: Rig, tmp_path: Path) -> Dispatch:
    described = Descriptions(
        rig.database,
        DemoEngine.offer,
        rig.agents,
        rig.modes,
        KnownFolders(str(tmp_path), "/home/me"),
        5,
        rig.services.statuses,
        rig.services.folders,
    )
    return Dispatch(
        rig.publisher,
        rig.services,
        rig.turns,
        rig.sessions,
        rig.prompts,
        described,
        rig.agents,
        rig.asks,
        rig.compactions,
        FileCommands(Searches(Programs(ToolProcesses({}), 32)), rig.services.folders),
        ShellCommands(rig.services, rig.prompts, None),
        McpCommands(None),
    )


def ask(dispatch: Dispatch, command: Any) -> Any:
    return msgspec.json.decode(dispatch(command)[0])


@pytest.mark.parametrize(
    "what",
    ["config", "config/providers", "provider", "agent", "path", "project", "project/current"],
)
def test_descriptions(dispatch: Dispatch, what: Any, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for directory in (str(tmp_path), "/nowhere"):
        check(ask(dispatch, Describe(what, directory)), f"/{what}")


def test_the_projects_of_sessions_are_listed(rig: Rig, dispatch: Dispatch, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    rig.sessions.create(str(tmp_path), CreateBody())
    projects = ask(dispatch, Describe("project", "/nowhere"))
    assert {p["worktree"] for p in projects} == {"/", str(tmp_path)}


def test_others_get_their_turns_while_projects_are_looked_for(
    rig: Rig, dispatch: Dispatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    monkeypatch.setattr(describe, "LOOKUP_SLICE_S", 0.0)
    monkeypatch.setattr(fairness, "let_turn", lambda: turns.append(1))
    for number in range(9):
        rig.sessions.create(f"{tmp_path}/{number}", CreateBody())
    ask(dispatch, Describe("project", "/nowhere"))
    assert len(turns) >= 9


def test_sessions(rig: Rig, dispatch: Dispatch) -> None:
    offer = DemoEngine.offer
    model = SessionModelInput(offer.model, offer.provider)
    permission = [{"permission": "bash", "pattern": "*", "action": "ask"}]
    body = CreateBody(agent="build", model=model, metadata={"a": 1}, permission=permission)
    parent = rig.sessions.create(DIRECTORY, body)
    rig.sessions.create(DIRECTORY, CreateBody(parentID=parent.id))
    check(ask(dispatch, SessionGet(parent.id)), "/session/{sessionID}")
    check(ask(dispatch, SessionList()), "/session")


def test_messages_and_their_parts(rig: Rig, dispatch: Dispatch) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    parts = [
        TextInput(text="a", synthetic=True, time={"start": 1}, metadata={"k": 1}),
        FileInput(mime="image/png", url=PIXEL, filename="a.png"),
    ]
    body = PromptBody(parts=parts, system="be kind", tools={"bash": False}, noReply=True)
    rig.prompts.accept(session, body)
    turn = rig.turn_for(rig.sessions.create(DIRECTORY, CreateBody()), rig.prompt(session, "x"))
    turn.begin()
    turn.reasoning("hm")
    turn.text("a")
    turn.finish("stop", TokenCounts.none())
    check(ask(dispatch, MessageList(session)), "/session/{sessionID}/message")


@pytest.mark.parametrize(
    "failure",
    [
        Failure("MessageAbortedError", {"message": "Aborted"}),
        Failure("UnknownError", {"message": "x"}),
        refused(ProviderRefusal(400, {"a": "b"}, "{}", "http://h"), "p").failure,
        refused(ProviderRefusal(401, {}, "{}", "http://h"), "p").failure,
        refused(ProviderRefusal(400, {}, "prompt is too long", "http://h"), "p").failure,
        interrupted("cut", "http://h", True).failure,
    ],
)
def test_errors_in_messages_and_events(rig: Rig, dispatch: Dispatch, failure: Failure) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("so far")
    turn.fail(failure)
    session = rig.events[0]["properties"]["sessionID"]
    check(ask(dispatch, MessageList(session)), "/session/{sessionID}/message")


def test_every_event_of_a_turn(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.retry(1, "slow down", 5)
    turn.reasoning("hm")
    turn.text("a")
    turn.finish("stop", TokenCounts.none())
    aborted = rig.turn("y")
    aborted.begin()
    aborted.abort()
    schemas = event_schemas()
    for event in rig.events:
        validate(event, schemas[event["type"]])


def event_schemas() -> dict[str, dict[str, Any]]:
    found = {}
    for schema in OPENAPI["components"]["schemas"].values():
        kinds = schema.get("properties", {}).get("type", {}).get("enum", [])
        if len(kinds) == 1 and "properties" in schema["properties"]:
            found[kinds[0]] = schema
    return found


def test_a_search_that_had_no_time_does_not_say_that_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SEARCH_S", 0.01)
    programs = Programs(ToolProcesses({}), 1)
    with programs._free:  # the only place is taken
        for what in ("find", "find/file"):
            with pytest.raises(CommandFailed, match="not all files were searched") as failed:
                FileCommands(Searches(programs), Folders())(Files(what, str(tmp_path), "x"))
            assert (failed.value.kind, failed.value.retry_after_s) == ("unavailable", 5)
