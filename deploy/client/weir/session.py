"""A session (one conversation), as an agent uses it: begin turns, read messages, rename."""

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
    """A session of weir: one conversation, with its messages and turns.

    Attributes:
        client: the connection to weir.
        id: the id of the session, ``ses_…``.
        directory: the absolute path of the session's folder.
    """

    def __init__(self, client: Client, id: str, directory: str) -> None:
        self.client = client
        self.id = id
        self.directory = directory

    def turn(self, prompt: str) -> Turn:
        """Return a turn that no person has asked for; `prompt` is shown as the user's message.

        The turn begins when its ``with`` block is entered. If another turn runs in the session,
        weir takes the output of this turn only after the other turn has ended. Until then up to
        1 MiB of output waits in this process; after that, calls that add output block.
        """
        return self.client.turn(self, f"turn_{uuid.uuid4().hex}", prompt)

    def messages(self, upto: str | None = None) -> list[Message]:
        """Return the messages as the API of a chat model takes them: ``role`` and ``content``.

        Messages without text are left out, and so are answers that are not complete.

        Args:
            upto: the id of the message after which to stop; None: return all messages.
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
        """Return a message with all its parts, as ``GET /session/ID/message/ID`` answers it."""
        path = f"/session/{quote(self.id)}/message/{quote(id)}"
        found: dict[str, Any] = self.client.server.ask("GET", path)
        return found

    def rename(self, title: str) -> None:
        self.client.server.ask("PATCH", f"/session/{quote(self.id)}", {"title": title})


def text_of(parts: list[dict[str, Any]]) -> str:
    """Return the text of a message's parts; parts of other types are left out."""
    return "".join(part["text"] for part in parts if part["type"] == "text")
