"""One turn of the soak's upstream: what a script says, as the events of an opencode."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from bus.ids import Ids
from tests.fakes.scripts import play

Json = dict[str, Any]

_KINDS = {"content": "text", "reasoning_content": "reasoning"}


class Aborted(Exception):
    """Somebody has stopped the turn."""


class Telling:
    """Tells one turn of a session, and is what `tests.fakes.scripts` say it to.

    Args:
        say: takes type and properties of each event, without the session's id.
        ids: makes the ids of messages and parts.
        session: whose turn it is.
        prompt: the script.
    """

    is_title = False
    attempt = 2  # what fails at first has failed already

    def __init__(self, say: Callable[..., None], ids: Ids, session: str, prompt: str) -> None:
        self.prompt = prompt
        self._say = say
        self._ids = ids
        self._session = session
        self._stopped = threading.Event()
        self._part: Json | None = None
        self._texts: list[str] = []
        self._answer: Json = {}

    def abort(self) -> None:
        """Have the turn end, wherever it is."""
        self._stopped.set()

    def run(self) -> None:
        """Tell all of it."""
        self._begin()
        try:
            play(self)  # type: ignore[arg-type]
        except Aborted:
            self._end({"error": {"name": "MessageAbortedError", "data": {"message": "Aborted"}}})

    def deltas(self, texts: Iterable[str], field: str = "content") -> None:
        """Tell deltas of what is said, or of what is thought."""
        kind = _KINDS[field]
        if self._part is None or self._part["type"] != kind:
            self._close()
            self._part = self._new_part(type=kind, text="", time={"start": _now_ms()})
            self._tell_part(self._part)
        ids = {"messageID": self._answer["id"], "partID": self._part["id"]}
        for text in texts:
            if self._stopped.is_set():
                raise Aborted
            self._texts.append(text)
            self._say("message.part.delta", **ids, field="text", delta=text)

    def wait(self, seconds: float | None = None) -> None:
        """Let time pass, for ever by default.

        Raises:
            Aborted: the turn is stopped meanwhile.
        """
        if self._stopped.wait(seconds):
            raise Aborted

    def finish(self, reason: str = "stop") -> None:
        """End the answer."""
        self._end({"finish": reason})

    def _begin(self) -> None:
        asked = self._message("user")
        self._tell(asked)
        said = {"type": "text", "text": self.prompt, "messageID": asked["id"]}
        self._tell_part(self._new_part(**said))
        self._say("session.status", status={"type": "busy"})
        self._answer = self._message("assistant") | {"parentID": asked["id"]}
        self._tell(self._answer)
        self._tell_part(self._new_part(type="step-start"))

    def _end(self, how: Json) -> None:
        self._close()
        self._tell_part(self._new_part(type="step-finish", reason=how.get("finish", "error")))
        times = self._answer["time"] | {"completed": _now_ms()}
        self._answer = self._answer | how | {"time": times}
        self._tell(self._answer)
        self._say("session.status", status={"type": "idle"})
        self._say("session.idle")

    def _close(self) -> None:
        """Tell the end of the part that grows."""
        if self._part is not None:
            times = self._part["time"] | {"end": _now_ms()}
            self._tell_part(self._part | {"text": "".join(self._texts), "time": times})
            self._part, self._texts = None, []

    def _message(self, role: str) -> Json:
        message = self._ids.ascending("msg")
        time = {"created": _now_ms()}
        return {"id": message, "sessionID": self._session, "role": role, "time": time}

    def _new_part(self, **what: Any) -> Json:
        ids = {"id": self._ids.ascending("prt"), "sessionID": self._session}
        return ids | {"messageID": self._answer.get("id")} | what

    def _tell(self, message: Json) -> None:
        self._say("message.updated", info=message)

    def _tell_part(self, part: Json) -> None:
        self._say("message.part.updated", part=part, time=_now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
