"""Prompts that are more than text."""

import pytest

from tests.acp import laws
from tests.acp.conftest import BEHIND
from tests.acp.editor import editor

pytestmark = pytest.mark.timeout(900)

TURN_S = 120.0
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADU"
    "lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def prompted(agent):
    """The message of a user, as the server keeps it, whose prompt had a block of each kind."""
    one = agent(BEHIND)
    file = one.directory / "README.md"
    blocks = [
        {"type": "text", "text": "look at these"},
        {"type": "resource_link", "name": file.name, "uri": file.as_uri()},
        {"type": "image", "mimeType": "image/png", "data": PIXEL},
        {
            "type": "resource",
            "resource": {"uri": "file:///nowhere/a.txt", "text": "what it holds"},
        },
    ]
    with editor(one) as client:
        client.introduce()
        session = client.begin(one)
        _, result = client.ask("session/prompt", TURN_S, sessionId=session, prompt=blocks)
        assert result["stopReason"] == "end_turn"
    return laws.turns_of(one, session)[0][0]


def test_every_block_reaches_the_server(prompted):
    parts = prompted["parts"]
    assert parts[0]["text"] == "look at these"
    files = {part["mime"]: part for part in parts if part["type"] == "file"}
    assert files["image/png"]["url"].endswith(PIXEL)
    assert any(part["url"].endswith("/README.md") for part in files.values())
    assert "what it holds" in str(parts)
    assert "A project to work on" in str(parts)
