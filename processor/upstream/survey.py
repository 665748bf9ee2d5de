"""Finds the sessions of an upstream that are busy, have changed, or have a pending request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec import Struct, field

from processor.upstream.api import MOST_LISTED, NotThere, RestCut, RestFailed, UpstreamApi
from processor.upstream.frames import InstanceLocation
from processor.upstream.memory import UpstreamMemory
from processor.upstream.subject import Json, time_of

log = logging.getLogger("weir.upstream")

KINDS = ("permission", "question")
_MOST_PLACES = 32
_TRIES = 5

_T = TypeVar("_T")

AtRest = Mapping[str, tuple[InstanceLocation, int]]
"""By id of a session at rest: location, and time of the last change (ms, server's clock)."""


class SurveyPatience:
    """Sends requests that may fail; after too many failures, continues without the answer.

    Attributes:
        failures: how many attempts have failed since the last success. Lost connections are not
            counted: the next connection may bring the answer.
    """

    def __init__(self) -> None:
        self.failures = 0

    @property
    def exhausted(self) -> bool:
        """Whether a failed request is skipped from now on."""
        return self.failures >= _TRIES

    def ask(self, question: Callable[..., _T], *arguments: Any) -> _T | None:
        """Return an answer, None if there is no such route, or the request failed too often.

        Raises:
            RestFailed: the request failed; try again later.
            Gone: the session does not exist.
        """
        try:
            return question(*arguments)
        except NotThere:
            return None
        except RestFailed as error:
            if not self.exhausted or isinstance(error, RestCut):
                raise
            log.error(
                "a request for missed events has failed %d times; the other missed events are "
                "published without its answer: %s",
                self.failures,
                error,
            )
            return None


class UpstreamSurvey(Struct):
    """The result of a survey.

    Attributes:
        sessions: sessions to heal, with their locations; those at rest that are no longer listed
            come last.
        statuses: by session; idle sessions are missing. A missing session may still be busy if
            `known` lacks its location.
        pending: the pending requests by kind and id.
        known: which locations have answered, for statuses and for each kind of request.
    """

    sessions: dict[str, InstanceLocation] = field(default_factory=dict)
    statuses: dict[str, Json] = field(default_factory=dict)
    pending: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    known: set[tuple[str, str | None, str | None]] = field(default_factory=set)

    def knows(self, what: str, place: InstanceLocation) -> bool:
        """Return whether a location has answered for a status, permissions or questions."""
        return (what, place.directory, place.workspace) in self.known


def survey(
    rest: UpstreamApi,
    patience: SurveyPatience,
    places: Iterable[InstanceLocation],
    since_ms: int | None,
    at_rest: AtRest,
) -> UpstreamSurvey:
    """Look for sessions at every location.

    Args:
        rest: sends the requests.
        patience: decides what happens if a request fails.
        places: the locations.
        since_ms: also find sessions that changed since then; None: only sessions with work to do.
        at_rest: sessions that readers know, in which nothing is known to have happened.

    Raises:
        RestFailed: the requests for a location failed.
    """
    found = UpstreamSurvey()
    unlisted: dict[str, InstanceLocation] = {}
    for place in places:
        _statuses(found, patience.ask(rest.statuses, place), place)
        for kind in KINDS:
            _requests(found, kind, patience.ask(rest.requests, kind, place), place)
        if since_ms is not None:
            here = {name: ms for name, (home, ms) in at_rest.items() if _same(home, place)}
            start_ms = min([since_ms, *here.values()])
            listed = patience.ask(rest.changed_sessions, place, start_ms)
            if listed is not None:
                _changed(found, listed, place, since_ms)
                unlisted |= dict.fromkeys(_unlisted(here, listed), place)
    for session, place in unlisted.items():
        found.sessions.setdefault(session, place)
    return found


def places(memory: UpstreamMemory, others: Iterable[InstanceLocation]) -> list[InstanceLocation]:
    """Return the server's default location, and the locations of known sessions.

    No other locations are asked, since opencode would start an instance there.

    Args:
        memory: the known sessions.
        others: more locations to return.
    """
    homes = (session.place for _, session in memory.sessions())
    found: dict[tuple[str | None, str | None], InstanceLocation] = {}
    for place in (*homes, *others):
        if place.directory is None:
            continue
        key = place.directory, place.workspace
        found.pop(key, None)  # moves the key to the end: the latest location counts as the newest
        found[key] = place
    return [InstanceLocation(), *list(found.values())[-_MOST_PLACES:]]


def _statuses(
    found: UpstreamSurvey, statuses: dict[str, Json] | None, place: InstanceLocation
) -> None:
    if statuses is None:
        return
    found.known.add(("status", place.directory, place.workspace))
    found.statuses.update(statuses)
    found.sessions.update(dict.fromkeys(statuses, place))


def _requests(
    found: UpstreamSurvey, kind: str, requests: list[Json] | None, place: InstanceLocation
) -> None:
    if requests is None:
        return
    found.known.add((kind, place.directory, place.workspace))
    for request in requests:
        found.pending[kind][request["id"]] = request
        found.sessions[request["sessionID"]] = place


def _same(one: InstanceLocation, other: InstanceLocation) -> bool:
    return (one.directory, one.workspace) == (other.directory, other.workspace)


def _unlisted(known: Mapping[str, int], listed: list[Json]) -> list[str]:
    """Return the known sessions that a list lacks and that are not too old for the list."""
    names = {info["id"] for info in listed}
    begins_ms = 0
    if len(listed) >= MOST_LISTED:
        begins_ms = min(time_of(info, "updated") or 0 for info in listed)
    return [name for name, ms in known.items() if name not in names and ms > begins_ms]


def _changed(
    found: UpstreamSurvey, sessions: list[Json], place: InstanceLocation, since_ms: int
) -> None:
    for info in sessions:
        updated = time_of(info, "updated")
        if updated is not None and updated >= since_ms:
            found.sessions.setdefault(info["id"], place)
