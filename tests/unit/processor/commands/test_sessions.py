from typing import Any

import msgspec
import pytest

from bus.answers import CommandFailed
from bus.bodies import CreateBody, ModelInput, PatchBody, PatchTime, PromptBody, TextInput
from bus.commands import SessionsV2
from bus.events.part import TokenCounts
from processor.commands.sessions import default_title
from processor.store import sessions
from processor.store.sessions import UnknownSession
from tests.unit.processor.rig import DIRECTORY, Rig


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("hello there\nand more", "hello there"),
        ("\n\n  second line  \n", "second line"),
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 49 + "…"),
    ],
)
def test_the_first_prompt_names_the_session(rig: Rig, prompt: str, title: str) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    rig.prompt(session, prompt)
    rig.prompt(session, "another")
    assert rig.database.call(sessions.get, session).title == title
    updated = [e for e in rig.events if e["type"] == "session.updated"]
    assert updated[0]["properties"]["info"]["title"] == title


def test_a_title_that_was_given_stays(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody(title="mine")).id
    rig.prompt(session, "hello")
    assert rig.database.call(sessions.get, session).title == "mine"


def test_the_default_title_is_as_opencodes() -> None:
    assert default_title(1795166409792) == "New session - 2026-11-20T09:20:09.792Z"


def test_patch_changes_what_is_given_and_nothing_else(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody(title="old", metadata={"a": 1}))
    patched = rig.sessions.patch(session.id, PatchBody(title="new", time=PatchTime(archived=5)))
    assert (patched.title, patched.metadata, patched.time.archived) == ("new", {"a": 1}, 5)
    assert patched.slug == session.slug
    assert rig.events[-1]["type"] == "session.updated"
    with pytest.raises(UnknownSession):
        rig.sessions.patch("ses_x", PatchBody(title="new"))


def test_a_parent_must_exist(rig: Rig) -> None:
    with pytest.raises(UnknownSession, match="ses_x"):
        rig.sessions.create(DIRECTORY, CreateBody(parentID="ses_x"))


def test_tokens_of_turns_add_up(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody())
    for _ in range(2):
        turn = rig.turn_for(session, rig.prompt(session.id, "x"))
        turn.begin()
        turn.finish("stop", TokenCounts(11, 7, 2, TokenCounts.none().cache, 20))
    tokens = rig.events[-1]["properties"]["info"]["tokens"]
    assert tokens == {"input": 22, "output": 14, "reasoning": 4, "cache": {"read": 0, "write": 0}}


def test_the_last_changed_session_is_listed_first(rig: Rig) -> None:
    made = [rig.sessions.create(DIRECTORY, CreateBody(title=f"Number {n}")).id for n in range(3)]
    rig.database.call(sessions.update, made[0], _later)
    assert listed(rig)[0] == made[0]
    assert listed(rig, start=1 << 60) == [made[0]]
    assert listed(rig, search="NUMBER 1") == [made[1]]
    assert listed(rig, limit=2) == listed(rig)[:2]
    assert listed(rig, directory="/elsewhere") == []
    child = rig.sessions.create(DIRECTORY, CreateBody(parentID=made[1])).id
    assert child in listed(rig)
    assert child not in listed(rig, roots=True)


def test_a_model_that_is_not_there_is_refused_with_the_one_that_is(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody()).id
    body = PromptBody(parts=[TextInput(text="a")], model=ModelInput("other", "m"))
    with pytest.raises(CommandFailed, match="allowed is demo/demo"):
        rig.prompts.accept(session, body)


def test_a_page_for_v2_clients_ends_early_if_its_sessions_are_large(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [rig.sessions.create(DIRECTORY, CreateBody(title=f"{n}")).id for n in range(5)]
    whole = rig.sessions.page(SessionsV2(limit=5000))
    assert [one["id"] for one in whole["data"]] == made[::-1]
    assert whole["cursor"] == {}
    monkeypatch.setattr(sessions, "PAGE_BYTES", 600)
    pages, cursor = [], None
    while True:
        page = rig.sessions.page(SessionsV2(limit=5000, cursor=cursor))
        pages.append(len(page["data"]))
        if not (cursor := page["cursor"].get("next")):
            break
    assert sum(pages) == 5
    assert max(pages) < 5


def listed(rig: Rig, **conditions: Any) -> list[str]:
    defaults: dict[str, Any] = {
        "directory": None,
        "roots": False,
        "start": None,
        "search": None,
        "limit": 100,
    }
    rows = rig.database.call(sessions.listing, **{**defaults, **conditions})
    found, left = rig.database.call(sessions.some, rows, 1 << 20)
    assert left == []
    return [msgspec.json.decode(json)["id"] for json in found]


def _later(session: Any) -> None:
    session.time.updated = 1 << 61
