"""What an opencode has stored, and so what it answers over REST: everything but deltas."""

import json
from typing import Any

from processor.upstream.api import MOST_LISTED, MessagePage, SessionGone
from tests.reference import Json, State

LATEST_MS = 2**53
ROUTES = {"permission": "permissions", "question": "questions"}


class Stored:
    """The state after some frames of `/global/event`."""

    def __init__(self, frames: list[Json] | None = None) -> None:
        self.state = State()
        self.directories: dict[str, str | None] = {}
        for frame in frames or []:
            self.apply(frame)

    def apply(self, frame: Json) -> None:
        """Store what one frame says."""
        event = frame["payload"]
        if event["type"] in ("sync", "message.part.delta"):
            return
        self.state.apply(event)
        info = event["properties"].get("info", {})
        if event["type"].startswith("session.") and "id" in info:
            self.directories[info["id"]] = frame.get("directory")

    def statuses(self, directory: str | None) -> Json:
        """``GET /session/status``: idle sessions are left out."""
        return {
            session: status
            for session, status in self.state.status.items()
            if status["type"] != "idle" and self._in(session, directory)
        }

    def sessions(self, directory: str | None, start: int = 0, limit: int = 100) -> list[Json]:
        """``GET /session``: one that does not say when it was updated, was just now."""
        infos = [info for id_, info in self.state.sessions.items() if self._in(id_, directory)]
        stamped = [info | {"time": {"updated": LATEST_MS} | info["time"]} for info in infos]
        found = [info for info in stamped if info["time"]["updated"] >= start]
        return sorted(found, key=lambda info: -info["time"]["updated"])[:limit]

    def requests(self, kind: str, directory: str | None) -> list[Json]:
        """``GET /permission`` and ``GET /question``."""
        pending = getattr(self.state, ROUTES[kind]).values()
        return [one for one in pending if self._in(one["sessionID"], directory)]

    def session(self, session: str) -> Json | None:
        """``GET /session/{id}``."""
        return self.state.sessions.get(session)

    def messages(
        self, session: str, limit: int = 10**9, before: str | None = None
    ) -> tuple[list[Json], str | None]:
        """``GET /session/{id}/message``: the newest, and the cursor of those before them."""
        every = self.state.messages_of(session)
        older = [one for one in every if before is None or one["info"]["id"] < before]
        page = older[-limit:]
        return page, page[0]["info"]["id"] if len(older) > len(page) else None

    def todos(self, session: str) -> list[Json]:
        """``GET /session/{id}/todo``."""
        return self.state.todos.get(session, [])

    def diff(self, session: str) -> list[Json]:
        """``GET /session/{id}/diff``: what ``session.diff`` last said."""
        return self.state.diffs.get(session, [])

    def _in(self, session: str, directory: str | None) -> bool:
        return directory is None or self.directories.get(session) in (directory, None)


class StoredRest:
    """`processor.upstream.api.UpstreamApi` without a network.

    Args:
        stored: what is stored.
        before_each: called before each answer is made, `after_each` before it arrives.
    """

    def __init__(self, stored: Stored, before_each: Any, after_each: Any) -> None:
        self._stored = stored
        self._before = before_each
        self._after = after_each

    def folder(self, spelt=None):
        return spelt or "/d"

    def statuses(self, place):
        return self._answer(self._stored.statuses, place.directory)

    def changed_sessions(self, place, since_ms):
        return self._answer(self._stored.sessions, place.directory, since_ms, MOST_LISTED)

    def requests(self, kind, place):
        return self._answer(self._stored.requests, kind, place.directory)

    def session(self, session, place):
        info = self._answer(self._stored.session, session)
        if info is None:
            raise SessionGone(session)
        return info

    def messages(self, session, place, before=None):
        messages, cursor = self._answer(self._stored.messages, session, 3, before)
        return MessagePage(messages, cursor, len(json.dumps(messages)))

    def todos(self, session, place):
        return self._answer(self._stored.todos, session)

    def diff(self, session, place):
        return self._answer(self._stored.diff, session)

    def _answer(self, question, *arguments):
        self._before()
        answer = question(*arguments)
        self._after()
        return answer
