"""The few calls of opencode's HTTP surface that a client of one folder makes."""

from typing import Any
from urllib.parse import quote

from tests.http_client import call

Json = dict[str, Any]


class Refused(Exception):
    """A request was answered with an error."""


class Api:
    """A client of one folder.

    Args:
        url: of opencode, or of weir in front of it.
        directory: the folder.
    """

    def __init__(self, url: str, directory: str) -> None:
        self.url = url
        self.directory = directory

    def create(self) -> str:
        """Make a session, and return its id."""
        return str(self.ask("POST", "/session", {})["id"])

    def prompt(self, session: str, text: str) -> None:
        """Prompt a session, and return as soon as the prompt is taken."""
        body = {"parts": [{"type": "text", "text": text}]}
        self.ask("POST", f"/session/{session}/prompt_async", body)

    def abort(self, session: str) -> None:
        """Stop what a session does."""
        self.ask("POST", f"/session/{session}/abort", {})

    def permit(self, request: str, reply: str = "once") -> None:
        """Answer a request for permission."""
        self.ask("POST", f"/permission/{request}/reply", {"reply": reply})

    def answer(self, request: str, answers: list[list[str]]) -> None:
        """Answer a question."""
        self.ask("POST", f"/question/{request}/reply", {"answers": answers})

    def session(self, session: str) -> Json:
        """Return what is stored of a session."""
        return self.ask("GET", f"/session/{session}")

    def messages(self, session: str) -> list[Json]:
        """Return ``[{"info", "parts"}]`` of a session, oldest first."""
        return self.ask("GET", f"/session/{session}/message")

    def todos(self, session: str) -> list[Json]:
        """Return the todo list of a session."""
        return self.ask("GET", f"/session/{session}/todo")

    def diff(self, session: str) -> list[Json]:
        """Return what has changed in the files of a session."""
        return self.ask("GET", f"/session/{session}/diff")

    def busy(self) -> Json:
        """Return the status of every session that is not idle."""
        return self.ask("GET", "/session/status")

    def pending(self) -> list[Json]:
        """Return the requests for permission, and the questions, that nobody has answered."""
        return self.ask("GET", "/permission") + self.ask("GET", "/question")

    def warm_up(self) -> None:
        """Have the server load the folder, so that the events of that are over."""
        for path in ("/config/providers", "/agent", "/command"):
            self.ask("GET", path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request, and return the JSON of its answer, None of an empty one.

        Raises:
            Refused: the status is no success.
        """
        url = f"{self.url}{path}?directory={quote(self.directory)}"
        reply = call(method, url, body, {"Content-Type": "application/json"})
        if reply.status >= 300:
            raise Refused(f"{method} {path}: {reply.status} {reply.body}")
        return reply.body
