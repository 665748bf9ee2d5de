"""The route that searches for words in messages."""

from __future__ import annotations

from collections.abc import Sequence

from bus.commands import Search
from bus.found import FoundPage
from gateway.resources.query import MAX_INTEGER
from gateway.resources.route import Query, RequestContent, Route

_DEFAULT_LIMIT, _MAX_LIMIT = 20, 200


def _search(given: RequestContent) -> Search:
    query = given.query
    return Search(
        query=query["q"],
        session=query["session"],
        directory=query["directory"],
        before=query["before"],
        limit=query["limit"] or _DEFAULT_LIMIT,
    )


ROUTES: Sequence[Route] = (
    Route(
        method="GET",
        path="/weir/search",
        words="The texts of messages that have all words of a query, the last stored first.",
        command=_search,
        query=(
            Query("q", "The words; the last may be the beginning of a word.", required=True),
            Query("session", "Only messages of this session."),
            Query("directory", "Only messages of sessions in this directory."),
            Query("limit", "How many.", "integer", 1, _MAX_LIMIT),
            Query("before", "``next`` of another page.", "integer", 1, MAX_INTEGER),
        ),
        items="found",
        answer=FoundPage,
    ),
)
