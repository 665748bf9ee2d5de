"""What a stream says of some sessions, to be held against another stream and against REST."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.opencode.api import Api, Json
from tests.processes import wait_until
from tests.reference import State, fold

SETTLE_S = 120.0


def seen(events: Sequence[Json], sessions: Iterable[str]) -> Json:
    """Return all that is known of `sessions` after `events`, and nothing else."""
    state = fold(list(events))
    return {session: _seen(state, session) for session in sessions}


def _seen(state: State, session: str) -> Json:
    return {
        "session": state.sessions.get(session),
        "status": state.status.get(session),
        "messages": state.messages_of(session),
        "pending": _of([*state.permissions.values(), *state.questions.values()], session),
        "todos": state.todos.get(session, []),
        "diff": state.diffs.get(session, []),
        "errors": state.errors.get(session, []),
        "idles": state.idles.get(session, 0),
        "others": [event for event in state.others if _about(event) == session],
    }


def stored(api: Api, session: str) -> Json:
    """Return what REST tells of a session, in the words of `seen`."""
    return {
        "session": api.session(session),
        "messages": api.messages(session),
        "pending": _of(api.pending(), session),
        "todos": api.todos(session),
        "diff": api.diff(session),
        "status": api.busy().get(session, {"type": "idle"}),
    }


def agreed(api: Api, events: Sequence[Json], session: str) -> Json:
    """Wait until a stream's fold is the state that REST tells of a session; return the fold.

    A turn goes on for a few events after its last word, so both are looked at until they agree.

    Raises:
        AssertionError: they do not.
    """
    last: list[tuple[Json, Json]] = []

    def agree() -> bool:
        rest = stored(api, session)
        folded = seen(events, [session])[session]
        last[:] = [(folded, rest)]
        return _apart(folded, rest) == []

    try:
        wait_until(agree, SETTLE_S)
    except TimeoutError:
        folded, rest = last[0]
        apart = [name for name in rest if folded[name] != rest[name]]
        told = "\n".join(
            f"{name}:\n  told   {folded[name]}\n  stored {rest[name]}" for name in apart
        )
        raise AssertionError(f"the stream and REST differ in {told}") from None
    return last[0][0]


def _apart(folded: Json, rest: Json) -> list[str]:
    """Return the names of what differs."""
    known = folded | {"messages": _as_stored(folded["messages"], rest["messages"])}
    return [name for name in rest if known[name] != rest[name]]


def _as_stored(told: list[Json], rest: list[Json]) -> list[Json]:
    """Leave out text that is told and not stored.

    opencode stores a text when its part ends; one that never did (1.2.27 leaves a part so on an
    abort) is stored as empty for ever.
    """
    stored = {part["id"]: part for message in rest for part in message["parts"]}

    def text(part: Json) -> Json:
        known = stored.get(part["id"], part)
        open_ended = known.get("text") == "" and "end" not in known.get("time", {})
        return part | {"text": ""} if open_ended else part

    return [message | {"parts": [text(part) for part in message["parts"]]} for message in told]


def text_of(messages: Sequence[Json], kind: str = "text", role: str = "assistant") -> str:
    """Return the text of all parts of a kind."""
    own = (message for message in messages if message["info"]["role"] == role)
    parts = (part for message in own for part in message["parts"])
    return "".join(part["text"] for part in parts if part["type"] == kind)


def _of(requests: Iterable[Json], session: str) -> list[Json]:
    return [request for request in requests if request["sessionID"] == session]


def _about(event: Json) -> Any:
    if event["type"] == "sync":
        return event["syncEvent"]["aggregateID"]
    return event["properties"].get("sessionID")
