"""`GET /weir/readers` lists event streams; `DELETE /weir/readers/{id}` resets a stream."""

from __future__ import annotations

import falcon
import msgspec

from gateway.errors import answer_error
from gateway.monitor.survey import Survey, Surveyor
from gateway.resources.status import Made, open_readers
from gateway.streams.departures import Departures
from gateway.streams.resets import Resets, ResetVerdict

_SHOWN_ID = 40


class ReaderList:
    """Lists the open streams that lag most, and the streams that ended last."""

    def __init__(self, surveyor: Surveyor, departures: Departures) -> None:
        self._surveyor = surveyor
        self._departures = departures
        self._view = Made(self._made_of)

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer ``{"readers", "more_readers", "ended"}``; ``more_readers`` counts the others."""
        resp.cache_control = ["no-store"]
        resp.data = self._view.of(self._surveyor.survey())

    def _made_of(self, survey: Survey) -> bytes:
        open_ones = open_readers(survey.posts)
        return msgspec.json.encode({**open_ones, "ended": self._departures.last()})


class OneReader:
    """Resets one open stream."""

    def __init__(self, resets: Resets) -> None:
        self._resets = resets

    def on_delete(self, _req: falcon.Request, resp: falcon.Response, reader: str) -> None:
        """Reset the stream; its client then connects again, and continues after its last event."""
        verdict = self._resets.reset(reader)
        if verdict is ResetVerdict.DONE:
            resp.data = b"true"
        elif verdict is ResetVerdict.UNKNOWN:
            shown = reader[:_SHOWN_ID]
            answer_error(resp, 404, f"no open stream has the id {shown!r}; see /weir/readers")
        else:
            answer_error(resp, 504, "the worker of this stream does not answer; try again")
