"""What is too long for the part of a call: the part is cut, and the whole is in the spool."""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from processor.store import history
from processor.tools.builtin import bounded
from processor.tools.oversize import MOST_INPUT_BYTES, MOST_URL, whole_url
from processor.tools.tool import Call, Outcome, Tool
from tests.unit.processor.native.scripted import DONE, Scripted, Turned, calls, tool
from tests.unit.processor.rig import Rig

MOST_EVENT_BYTES = 1_100_000


def whole(rig: Rig, session: str, url: str) -> bytes:
    """Return the file of the spool at a URL of the gateway."""
    *_, of, _, name = urlsplit(url).path.split("/")
    assert of == session
    return rig.services.outputs.read(session, name, 0, 100_000_000) or b""


def longest(rig: Rig) -> int:
    return max(len(json.dumps(event)) for event in rig.events)


@pytest.mark.parametrize(
    "arguments",
    [
        {"filePath": "a.txt", "content": "ж" * 2_000_000},
        {"edits": [{"old": f"{n}" * 2000, "new": "y" * 2000} for n in range(500)]},
        {"numbers": list(range(200_000))},
        {f"key {n}": "v" for n in range(100_000)},
    ],
)
def test_a_long_input_is_cut_in_its_part_and_whole_for_the_tool(
    rig: Rig, arguments: dict[str, Any]
) -> None:
    got: list[dict[str, Any]] = []

    def take(given: dict[str, Any], call: Call) -> str:
        got.append(given)
        call.show(output="half", metadata={"more": 1})
        return "it ran"

    engine = Scripted(calls(("take", json.dumps(arguments))), DONE)
    turn = Turned(rig.with_tools(tool("take", take)), engine)
    [part] = turn.tools()
    assert got == [arguments]
    assert longest(rig) < MOST_EVENT_BYTES
    state = part["state"]
    assert json.loads(whole(rig, turn.session, state["metadata"]["inputURL"])) == arguments
    assert state["metadata"]["inputPath"] in str(state["input"])
    sent = engine.asked[1].messages[-2].tool_calls[0]["function"]["arguments"]
    assert len(sent) <= MOST_INPUT_BYTES
    assert "are left out here; the tool got them" in json.dumps(json.loads(sent))
    running = [event for event in rig.events if "'running'" in str(event)]
    assert all("inputURL" in str(event) for event in running)


def test_an_input_that_fits_and_one_of_a_failed_call_are_treated_alike(rig: Rig) -> None:
    fitting = {"content": "x" * (MOST_INPUT_BYTES - 100)}
    long = {"content": "x" * MOST_INPUT_BYTES}
    named = [("take", json.dumps(one)) for one in (fitting, long)]

    def fail(given: dict[str, Any], call: Call) -> str:
        raise KeyError("a mistake in the tool")

    turn = Turned(rig.with_tools(tool("take", fail)), Scripted(calls(*named), DONE))
    first, second = (part["state"] for part in turn.tools())
    assert (first["status"], first["input"]) == ("error", fitting)
    assert "metadata" not in first or "inputURL" not in first["metadata"]
    assert second["status"] == "error"
    assert json.loads(whole(rig, turn.session, second["metadata"]["inputURL"])) == long


def reads_image(rig: Rig, data: bytes) -> Tool:
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    files = [{"type": "file", "mime": "image/png", "url": url}]
    run = lambda arguments, call: Outcome("Image read", "an image", {}, files)  # noqa: E731
    return bounded(Tool("read", "reads", {"type": "object"}, run), rig.services.outputs)


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_a_model_sees_the_whole_of_an_image_whose_part_may_be_cut(rig: Rig, size: int) -> None:
    data = b"\x89PNG" * (size // 4)
    engine = Scripted(calls(("read", "{}")), DONE)
    turn = Turned(rig.with_tools(reads_image(rig, data)), engine)
    [part] = turn.tools()
    [attachment] = part["state"]["attachments"]
    assert longest(rig) < MOST_EVENT_BYTES
    if size > MOST_URL:
        assert whole(rig, turn.session, attachment["url"]) == data
    else:
        assert attachment["url"].startswith("data:image/png;base64,")
    seen = engine.asked[1].messages[-1].content[-1]["image_url"]["url"]
    assert base64.b64decode(seen.removeprefix("data:image/png;base64,")) == data
    rig.services.outputs.remove(turn.session)
    engine._answers = [DONE]
    again = rig.prompts.accept(turn.session, turn.body("again"))
    rig.turns.wait(turn.session, again, 100)
    said = str(engine.asked[-1].messages)
    assert ("does not exist any more" in said) == (size > MOST_URL)
    assert ("image_url" in said) == (size <= MOST_URL)
    assert "/weir/session" not in said


def test_an_image_that_cannot_be_saved_stays_in_its_part(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.services.outputs, "_quota", 1_000_000)
    turn = Turned(
        rig.with_tools(reads_image(rig, b"\x89PNG" * 500_000)),
        Scripted(calls(("read", "{}")), DONE),
    )
    [attachment] = turn.tools()[0]["state"]["attachments"]
    assert attachment["url"].startswith("data:image/png;base64,")


def test_the_memory_of_images_in_the_spool_is_counted(rig: Rig) -> None:
    data = b"\x89PNG" * 1_000_000
    engine = Scripted(calls(("read", "{}")), DONE)
    turn = Turned(rig.with_tools(reads_image(rig, data)), engine)
    turn.end()
    found = rig.database.call(history.window, turn.session, turn.prompt, 100_000)
    assert found.size > len(data) * 4 / 3
    assert found.cost < 100_000
    before = 4_000_000
    for size in (10**15, -(10**15)):
        change = (f'"size":{before}', f'"size":{size}')
        rig.database.call(
            lambda db, change=change: db.execute(
                "UPDATE part SET json = CAST(replace(CAST(json AS TEXT), ?, ?) AS BLOB)", change
            )
        )
        before = size
        changed = rig.database.call(history.window, turn.session, turn.prompt, 100_000)
        assert 0 < changed.size < 12_000_000


@pytest.mark.parametrize("size", [-1, 0, 10**12, "5", None])
def test_an_attachment_that_a_client_has_changed_loads_no_file(rig: Rig, size: Any) -> None:
    file = rig.services.outputs.keep("ses_1", b"hello")
    attachment = {"mime": "image/png", "outputID": file.id, "size": size}
    assert whole_url(attachment, rig.services.outputs, "ses_1") is None
    kept = {**attachment, "size": 5}
    assert whole_url(kept, rig.services.outputs, "ses_1") == "data:image/png;base64,aGVsbG8="
    assert whole_url({**kept, "outputID": ["x"]}, rig.services.outputs, "ses_1") is None
