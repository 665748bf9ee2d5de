"""Sessions, for agents."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from weir.turn import Turn

if TYPE_CHECKING:
    from weir.client import Client

_MOST_MESSAGES = 10_000

Message = dict[str, str]


class Session:
    """A session: the agent's side of `bus.events.session.Session`.

    Attributes:
        client: the connection.
        id: of the session.
        directory: of the session.
    """

    def __init__(self, client: Client, id: str, directory: str) -> None:
        self.client = client
        self.id = id
        self.directory = directory

    def turn(self, prompt: str) -> Turn:
        """Return a turn of the agent's own; `prompt` is shown as the user's message.

        The turn begins with its ``with`` block. While another turn runs in the session, the lines
        of this turn wait, and the caller blocks once 1 MiB waits.
        """
        return self.client.turn(self, f"turn_{uuid.uuid4().hex}", prompt)

    def messages(self, upto: str | None = None) -> list[Message]:
        """Return the messages of the session in the form of chat models: role and content.

        Args:
            upto: id of the last prompt to return; None: return all messages.
        """
        path = f"/session/{quote(self.id)}/message?limit={_MOST_MESSAGES}"
        found: list[Message] = []
        for one in self.client.server.ask("GET", path):
            info, text = one["info"], text_of(one["parts"])
            if text and (info["role"] == "user" or "completed" in info["time"]):
                found.append({"role": info["role"], "content": text})
            if info["id"] == upto:
                break
        return found

    def message(self, id: str) -> dict[str, Any]:
        """Return a message with all its parts, as REST returns it."""
        path = f"/session/{quote(self.id)}/message/{quote(id)}"
        found: dict[str, Any] = self.client.server.ask("GET", path)
        return found

    def rename(self, title: str) -> None:
        self.client.server.ask("PATCH", f"/session/{quote(self.id)}", {"title": title})


def text_of(parts: list[dict[str, Any]]) -> str:
    """Return the text of the parts of a message."""
    return "".join(part["text"] for part in parts if part["type"] == "text")
