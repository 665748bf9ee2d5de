"""Heals a cut of the stream: fetches over REST what readers missed, and publishes it.

Theory of operation.

1. From the first byte of a connection on, everything live waits (`hold`); only then is REST
   asked. So an answer of REST contains all that was published before, and what waits is from the
   same time or later. Upserts go first, what waits follows: nothing newer is overwritten.
2. An entity that something waits about is left to what waits: that is its value, or will be.
   One exception: a message that readers do not know goes before its parts, as it first waits.
   An event may still be on its way that is older than the answer. It comes later then, as does
   what follows it, up to the newest; but a part that has ended does not begin again (`holes`).
3. The statuses are asked for first and published last. Whatever preceded an idle status is then in
   the answers that were asked for after it.
4. A session is fetched whole before any of it is published; of a session with very large messages
   the newest are fetched and published before older ones are fetched, so that memory holds them.
   If too much waits meanwhile, it is let go, and the attempt is over: its answers may be older
   than what was published. So is an attempt whose connection is cut. Both are made again for the
   sessions that were not reached.
   What an attempt lets go when it fails may hold parts whose message readers lack. They pass:
   without them the last words of their session would overtake its text, and to have all of the
   session wait would withhold its permissions and questions for as long as REST fails.
5. REST has no deltas: it shows text in flight as it was at its last snapshot. Such a part is
   published only if that does not shorten what readers hold, and never if they have seen it begin
   on this connection, since then its deltas pass. It keeps its hole until a live snapshot
   (`holes`).
6. What became of a permission or question that is asked no more cannot be known. Readers are told
   that it is closed, without a reply. Deltas and `session.error` stay missed; the error of a turn
   is told in its message, and not every one in a message was a `session.error`.

Which sessions: those not idle at the cut, or heard of shortly before it, or busy, changed or
asking now; and of those at rest the ones that their place does not list any more, looked up once
a cut: what cannot be fetched by its id either is gone. The list is the one that tells of changes,
from further back, so thousands of sessions at rest cost no request. The first connection of a
processor comes after a cut, too, if the one before it has left a note of the sessions it knew
(`notes`); else those busy or asking now count.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Container, Iterator
from itertools import chain, islice

from bus.ids import Ids
from processor.upstream.api import PAGE, Gone, RestCut, RestFailed, UpstreamApi
from processor.upstream.frames import InstanceLocation
from processor.upstream.intake import FrameIntake
from processor.upstream.memory import RememberedSession
from processor.upstream.mending import Answers, Mending, MendingBatch
from processor.upstream.notes import Noted, Notes
from processor.upstream.subject import time_of
from processor.upstream.survey import AtRest, SurveyPatience, UpstreamSurvey, places, survey

log = logging.getLogger("weir.upstream")

_MOST_PAGES = 20
_BATCH_BYTES = 16 * 1024 * 1024
_TOO_MUCH_WAITS = "more live events came in meanwhile than may wait"
_MOST_SESSIONS = 10_000
"""More than an opencode lists; an upstream that names more is not healed of the rest."""


class Healing:
    """What is left to heal of one upstream, over all its connections.

    Args:
        rest: answers for the upstream.
        intake: what passes by, and what readers know.
        ids: makes the ids of events.
    """

    def __init__(self, rest: UpstreamApi, intake: FrameIntake, ids: Ids) -> None:
        self._rest = rest
        self._intake = intake
        self._ids = ids
        self._patience = SurveyPatience()
        self._since_ms: int | None = None
        self._pending: dict[str, InstanceLocation] = {}
        self._looked_up = False

    @property
    def impatient(self) -> bool:
        """Whether the next attempt does without an answer that fails."""
        return self._patience.exhausted

    def cut(self, now: float, last_ms: int) -> None:
        """Note that the stream is cut.

        Args:
            now: on the clock of the intake.
            last_ms: by the server's clock, when it was certainly whole.
        """
        if self._since_ms is None or last_ms < self._since_ms:
            self._since_ms = last_ms
        self._pending = self.lively(now)
        self._looked_up = False

    def note(self, notes: Notes, now: float, whole_ms: int | None) -> None:
        """Leave to the next processor what it would have to heal if this one ended now.

        Args:
            notes: where to leave it.
            now: on the clock of the intake.
            whole_ms: by the server's clock, when the stream was certainly whole; None: it never
                was.
        """
        since_ms = whole_ms if self._since_ms is None else self._since_ms
        if since_ms is not None:
            lively = self.lively(now)
            notes.write(Noted(since_ms, lively, self.at_rest(lively)))

    def begin(self, noted: Noted) -> None:
        """Take over what the last processor left to heal."""
        self._since_ms = noted.since_ms
        self._pending |= noted.sessions
        recall = self._intake.memory.recall
        for session, (place, updated_ms) in noted.at_rest.items():
            info = {"id": session, "time": {"updated": updated_ms}}
            recall(session, RememberedSession(place, -math.inf, {"type": "idle"}, info=info))
        for session, place in noted.sessions.items():
            recall(session, RememberedSession(place, -math.inf))

    def lively(self, now: float) -> dict[str, InstanceLocation]:
        """Return the sessions that would have to be healed if the stream were cut now."""
        lively = {
            session: known.place
            for session, known in self._intake.memory.sessions()
            if known.lively(now)
        }
        return self._pending | lively

    def at_rest(self, lively: Container[str]) -> AtRest:
        """Return the sessions but for the lively ones, as far as it is known how old they are."""
        return {
            session: (known.place, known.updated_ms)
            for session, known in self._intake.memory.sessions()
            if session not in lively and known.updated_ms is not None
        }

    def attempt(self) -> None:
        """Publish what was missed; what waits meanwhile is let go at the end.

        Raises:
            RestFailed: not all of it could be fetched. It is to be tried again, as it is after any
                other error: REST may give an answer that this code does not expect.
        """
        self._intake.wait()
        try:
            self._all()
        except Exception as error:
            self._patience.failures += not isinstance(error, RestCut)
            raise
        finally:
            self._intake.release()
        self._patience.failures = 0
        self._since_ms = None

    def _all(self) -> None:
        around = places(self._intake.memory, self._pending.values())
        at_rest = {} if self._looked_up else self.at_rest(self._pending)
        found = survey(self._rest, self._patience, around, self._since_ms, at_rest)
        self._looked_up = True
        for session, place in islice(found.sessions.items(), _MOST_SESSIONS):
            self._pending.setdefault(session, place)
        cut: RestCut | None = None
        for session, place in list(self._pending.items()):
            # Should it fail, the others come first the next time.
            self._pending[session] = self._pending.pop(session)
            try:
                self._session(session, place, found)
            except RestCut as error:
                cut = error  # the next may have more luck, and it takes no time to find out
                continue
            except RestFailed:
                raise
            except Exception:
                if not self._patience.exhausted:
                    raise
                log.exception("session %r: its missed events cannot be published", session)
            del self._pending[session]
        if cut is not None:
            raise cut

    def _session(self, session: str, place: InstanceLocation, found: UpstreamSurvey) -> None:
        try:
            answers = self._answers(session, place)
        except Gone:
            answers = Answers(gone=True)
        hold = self._intake.hold
        if hold is None:
            raise RestFailed(_TOO_MUCH_WAITS)
        mending = Mending(self._intake, hold, self._ids, session, place, self._since_ms)
        mending.mend(answers, found)

    def _answers(self, session: str, place: InstanceLocation) -> Answers:
        ask = self._patience.ask
        info = ask(self._rest.session, session, place)
        batches = self._batches(session, place)
        newest = next(batches)
        todos, diff = ask(self._rest.todos, session, place), ask(self._rest.diff, session, place)
        return Answers(info, chain(iter([newest]), batches), todos, diff)

    def _batches(self, session: str, place: InstanceLocation) -> Iterator[MendingBatch]:
        """Yield the messages back to the cut at least: all at once, unless they are very large.

        Raises:
            RestFailed: what waits was let go since the first batch.
        """
        batch, size, cursor, hold = MendingBatch(), 0, None, self._intake.hold
        for _ in range(_MOST_PAGES):
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = MendingBatch(), 0
            page = self._patience.ask(self._rest.messages, session, place, cursor)
            if hold is not None and self._intake.hold is not hold:
                raise RestFailed(_TOO_MUCH_WAITS)
            if page is None:
                break
            batch.messages = page.messages + batch.messages
            size += page.size
            cursor = page.before
            if cursor is None:
                batch.complete = len(page.messages) < PAGE
                break
            if self._since_ms is None or not page.messages:
                break
            if (time_of(page.messages[0]["info"], "created") or 0) < self._since_ms:
                break
            del page
        yield batch
