"""Names and looks that the tests of `weir up`'s own HTTP surface share."""

import json
import time
from typing import Any
from urllib.parse import quote

from tests.blackbox.weir_up import Up
from tests.openapi import check
from tests.sse_client import SseClient

HERE, THERE = "/srv/demo/here", "/srv/дём o+ü"
SESSION = "/session/{sessionID}"
MESSAGES = f"{SESSION}/message"
MESSAGE = f"{MESSAGES}/{{messageID}}"


def stream_of(up: Up, directory: str) -> SseClient:
    """Follow a folder; the greeting has been read."""
    stream = SseClient(f"{up.url}/event?directory={quote(directory)}")
    assert json.loads(stream.next().data)["type"] == "server.connected"
    return stream


def until_marked(up: Up, stream: SseClient, session: str) -> list[dict[str, Any]]:
    """Return the events of a stream so far: up to a change of a session's title, made now."""
    title = f"marked at {time.monotonic_ns()}"
    assert up.call("PATCH", f"/session/{session}", {"title": title}).status == 200
    return stream.until(lambda event: event["properties"].get("info", {}).get("title") == title)


def messages_of(up: Up, session: str) -> list[dict[str, Any]]:
    """Return what is stored of a session."""
    return check(up.call("GET", f"/session/{session}/message"), "get", MESSAGES)
