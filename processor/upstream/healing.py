"""Heals after a cut of the event stream: fetches over REST what readers missed, and publishes it.

Theory of operation. opencode sends each event once and keeps none. Events that were sent while the
stream was cut are lost, and REST only returns the present state. So healing fetches the present
state of every session that may have changed, compares it with what was published before
(`memory`), and publishes the differences as *upserts*: events with the present value of an entity.
One *attempt* does so for all these sessions. An attempt that fails is repeated.

1. From the first byte of a connection on, live events wait in a queue (`holding_queue`). Only then
   is REST asked. So REST's answers contain all that happened before the connection, and the
   waiting events happened at the same time or later. The upserts are published first and the queue
   after them, so no upsert overwrites a newer value.
2. If an event about an entity waits, healing publishes no upsert of the entity: the queue brings
   its value. One exception: readers drop the parts of a message that they do not know. So before
   such parts, the first waiting event of their message is published. An event that is older than
   REST's answer may arrive after the queue was published. The later events follow it, up to the
   present value, so this does no harm; but a part that has ended must not begin to grow again
   (`holes`).
3. The statuses are fetched first and published last. So all that happened before a session became
   idle is in the answers that were fetched after its status.
4. All of a session is fetched before any of it is published. If its messages are very large, the
   newest are fetched and published before older ones are fetched, to save memory. If the queue
   becomes full, it is published at once and the attempt fails, since REST's answers may now be
   older than what was published. An attempt also fails if the connection is cut. The next attempt
   handles the sessions that are left. The queue of a failed attempt may contain parts of messages
   that readers lack. These parts are published too: without them, the end of a turn would overtake
   its text. To hold back the whole session would also hold back its permissions and questions for
   as long as REST fails.
5. REST has no deltas: for a part that is growing it returns the last snapshot. This snapshot is
   published only if it is not shorter than the text that readers have. It is never published if
   the part's deltas pass, which means that readers have its text from this connection. Otherwise
   the part keeps its hole until its next live snapshot (`holes`).
6. REST does not say how a permission or question was answered. If it is no longer pending, readers
   get an event that closes it without a reply. Missed deltas and missed `session.error` events are
   not replaced. A message contains the error of its turn, but not every such error was sent as a
   `session.error`.

These sessions are healed:

- sessions that were not idle at the cut, or had an event shortly before it;
- sessions that are busy, have changed since the cut, or have a pending request;
- sessions at rest that the list of their location lacks. They are looked up once after a cut: a
  session that REST does not find by its id either is deleted. The list of changed sessions is used
  for this, from an earlier time on, so sessions at rest cost no request each.

The first connection of a processor also counts as following a cut, if the last processor has left
notes about its sessions (`notes`). Without notes, only sessions that are busy or have a pending
request are healed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Container, Iterator
from itertools import chain, islice

from bus.ids import Ids
from processor.upstream.api import PAGE, RestCut, RestFailed, SessionGone, UpstreamApi
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
_TOO_MUCH_WAITS = "so many new events came meanwhile that they did not fit in memory"
_MOST_SESSIONS = 10_000
"""More than an opencode lists. If an upstream names more sessions, the rest is not healed."""


class Healing:
    """The sessions of one upstream that are still to be healed, over all its connections.

    Args:
        rest: sends requests to the upstream.
        intake: publishes events, and knows what readers have.
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
        """Whether the next attempt continues without an answer that fails."""
        return self._patience.exhausted

    def cut(self, now: float, last_ms: int) -> None:
        """Record that the stream is cut, and which sessions therefore have to be healed.

        Args:
            now: on the clock of the intake.
            last_ms: the last time when the stream was certainly complete, on the server's clock.
        """
        if self._since_ms is None or last_ms < self._since_ms:
            self._since_ms = last_ms
        self._pending = self.lively(now)
        self._looked_up = False

    def note(self, notes: Notes, now: float, whole_ms: int | None) -> None:
        """Write notes for the next processor: what it has to heal if this processor ends now.

        Args:
            notes: the file to write to.
            now: on the clock of the intake.
            whole_ms: the last time when the stream was certainly complete, on the server's clock;
                None if there was none.
        """
        since_ms = whole_ms if self._since_ms is None else self._since_ms
        if since_ms is not None:
            lively = self.lively(now)
            notes.write(Noted(since_ms, lively, self.at_rest(lively)))

    def begin(self, noted: Noted) -> None:
        """Take over the last processor's notes."""
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
        """Return the sessions that are not lively, and whose last change is known."""
        return {
            session: (known.place, known.updated_ms)
            for session, known in self._intake.memory.sessions()
            if session not in lively and known.updated_ms is not None
        }

    def attempt(self) -> None:
        """Make one attempt: publish what readers missed, then the events that waited meanwhile.

        Raises:
            RestFailed: some of it could not be fetched. The caller tries again after this and
                after any other error, since REST may give an answer that this code does not
                expect.
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
            # If this session fails, the next attempt begins with the others.
            self._pending[session] = self._pending.pop(session)
            try:
                self._session(session, place, found)
            except RestCut as error:
                cut = error  # try the next session: its request has a new connection
                continue
            except RestFailed:
                raise
            except Exception:
                if not self._patience.exhausted:
                    raise
                log.exception(
                    "session %r: missed events cannot be published because of an error in weir",
                    session,
                )
            del self._pending[session]
        if cut is not None:
            raise cut

    def _session(self, session: str, place: InstanceLocation, found: UpstreamSurvey) -> None:
        try:
            answers = self._answers(session, place)
        except SessionGone:
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
        """Yield the messages, at least back to the cut: in one batch, unless they are very large.

        Raises:
            RestFailed: the waiting events were published since the first batch.
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
