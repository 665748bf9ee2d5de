"""Which folder's events a stream of `/event` gets from each source (processor).

1. A path may be spelt in many ways (symbolic links, ``..``), and events have one spelling. Only
   the machine that has the folder can resolve a path: in front of an opencode, the opencode's
   machine. So each processor is asked.
2. If a source has published an event with exactly this path, the path needs no resolving, and the
   processor is not asked.
3. A request without a folder means the upstream's own folder, which the processor asks from the
   upstream at each connection. Without an upstream, it means the folder in which weir was started.
4. A stream whose request names a folder gets its first event when the processor has answered. If
   the processor does not answer in time, the path is used as it is spelt.
5. A stream whose request names no folder gets no event until the upstream's own folder is known.
   Then the stream gets what has changed in this folder since the stream was opened, or continues
   after its ``Last-Event-ID``.
6. A folder in a request is resolved once. If the upstream restarts in another folder, the streams
   without a folder get the events of the new folder.
"""

from __future__ import annotations

import logging
import posixpath
import time
from collections.abc import Sequence
from weakref import WeakSet

import gevent
import msgspec
from falcon import Request
from msgspec import Struct, field
from msgspec.structs import replace

from bus.answers import CommandFailed
from bus.commands import Describe
from bus.process.fairness import TimeSlice
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from gateway.bus_feeds import BusFeed
from gateway.directory import is_tidy, spelt_directory, tidy
from gateway.relay import View
from gateway.relay.ahead import LAGGING_S
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers

log = logging.getLogger("weir.gateway")

EVERY_S = 0.25
_FRESH_S = 10.0
_UNSURE_S = 1.0
_DEADLINE_S = 1.0
# How long a stream waits for its folder before ``server.connected``. Longer than the deadline of
# the question to the processor, so the answer or a failure comes first.
_GREETED_WITHIN_S = 2.0
_AT_ONCE = 8
_PAUSES = 10  # the pause between two checks of all folders is this many times as long as a check
_MOST_ANSWERS = 1024
_NOWHERE = ""
# A change of the upstream's own folder is known within this time: the processor's report names the
# folder, and is fetched once a second.
_KNOWN_WITHIN_NS = 3_000_000_000


class _FolderBody(Struct):
    directory: str


class _FolderAnswer(Struct, frozen=True):
    """What a path resolves to at a processor.

    Attributes:
        folder: the resolved path; the path as it was spelt, if the processor did not answer.
        sure: the processor has answered.
        until: when to ask again (`time.monotonic()`).
    """

    folder: str
    sure: bool
    until: float


class _Group(Struct):
    """Event streams (readers) whose requests asked for the same view (filter).

    Attributes:
        view: the view with resolved folders that the readers have; None while no folder is known.
        since_ns: the last time when `view` was certainly right, or when the first reader
            connected; events since then are sent again if `view` changes. ns since the Unix epoch.
        readers: the readers.
    """

    view: View | None
    since_ns: int
    readers: WeakSet[Reader] = field(default_factory=WeakSet)


class SourceFolders:
    """Resolves the folder that an event stream asks for, at each processor.

    Args:
        feeds: the connections to the processors.
        readers: all event streams; their ledgers have the folders of the events so far.
        start: the folder in which weir was started, for requests without a folder.
        learns: for such requests, use the upstream's own folder instead of `start`.
    """

    def __init__(
        self, feeds: Sequence[BusFeed], readers: Readers, start: str, learns: bool
    ) -> None:
        self._feeds = feeds
        self._readers = readers
        self._start = start
        self._learns = learns
        self._answers: dict[tuple[BusFeed, str], _FolderAnswer] = {}
        self._asking: set[tuple[BusFeed, str]] = set()
        self._groups: dict[View, _Group] = {}

    def run(self) -> None:
        """Call `look_again` for ever, with pauses; needs a greenlet of its own."""
        took_s = 0.0
        while True:
            gevent.sleep(EVERY_S + _PAUSES * took_s)
            began = time.monotonic()
            self.look_again()
            took_s = time.monotonic() - began

    def named(self, req: Request) -> str | None:
        """Return the folder that a request names; None if it names no folder.

        Without an upstream, a relative path is below the folder in which weir was started.

        Raises:
            BadRequest: the value is not a path.
        """
        spelt = spelt_directory(req)
        if spelt is None or self._learns:
            return spelt
        return tidy(posixpath.join(self._start, spelt))

    def follow(self, reader: Reader) -> None:
        """Resolve the folder of a reader's view, now if it is known, else as soon as it is known.

        A view whose directory is None gets the default folder.
        """
        wanted = reader.view
        view, settled = self._look(wanted)
        if view is None:
            named_s = 0.0 if wanted.directory is None else _GREETED_WITHIN_S
            patience_s = LAGGING_S if reader.last_id else named_s
            reader.place(replace(wanted, directory=_NOWHERE), False, patience_s)
        else:
            reader.place(view, True, 0.0)
        if settled:
            return
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = _Group(view, time.time_ns())
        group.readers.add(reader)

    def look_again(self) -> None:
        """Resolve the folder of each group again.

        If the folder has become known or has changed, the readers of the group change to it.
        """
        turn = TimeSlice()
        for wanted in list(self._groups):
            self._look_again(wanted)
            turn.pass_on_if_over()

    def _look_again(self, wanted: View) -> None:
        group = self._groups.get(wanted)
        if group is not None and not group.readers:
            del self._groups[wanted]
        elif group is not None:
            view, settled = self._look(wanted)
            if view is not None and view != group.view:
                level = logging.DEBUG if group.view is None else logging.INFO
                asked = wanted.directory or "(none named)"
                log.log(
                    level,
                    "streams that asked for folder %r get the events of the folder that the "
                    "processor knows as %r",
                    asked,
                    view.directory,
                )
                for reader in group.readers:
                    reader.turn_to(view, group.since_ns)
                group.view = view
            if wanted.directory is None:
                group.since_ns = time.time_ns() - _KNOWN_WITHIN_NS
            if settled:
                del self._groups[wanted]

    def _look(self, wanted: View) -> tuple[View | None, bool]:
        """Return the view with the resolved folder of each source, and whether this is final."""
        if wanted.directory is None and not self._learns:
            return replace(wanted, directory=self._start), True
        found = [self._folder(feed, wanted.directory) for feed in self._feeds]
        known = {one.folder for one in found if one is not None}
        settled = all(one is not None and one.sure for one in found)
        if not known:
            return None, False
        if len(known) == 1 and None not in found:
            return replace(wanted, directory=known.pop()), settled
        elsewhere = tuple(
            (source, one.folder)
            for feed, one in zip(self._feeds, found, strict=True)
            for source in sorted(feed.subscriber.sources)
            if one is not None
        )
        heard = all(feed.subscriber.sources for feed in self._feeds)
        return replace(wanted, directory=_NOWHERE, elsewhere=elsewhere), settled and heard

    def _folder(self, feed: BusFeed, spelt: str | None) -> _FolderAnswer | None:
        """Return what a path resolves to at one processor; None while this is not known."""
        if spelt is None:
            folder = (feed.memory.upstream or {}).get("directory")
            return (
                _FolderAnswer(folder or self._start, False, 0.0)
                if isinstance(folder, str)
                else None
            )
        if is_tidy(spelt) and self._has_published(feed, spelt):
            return _FolderAnswer(spelt, True, 0.0)
        answer = self._answers.get((feed, spelt))
        if answer is None or time.monotonic() >= answer.until:
            self._ask(feed, spelt)
        return answer

    def _has_published(self, feed: BusFeed, folder: str) -> bool:
        ledgers = self._readers.relay.ledgers
        sources = (source for source in feed.subscriber.sources if source in ledgers)
        return any(folder in ledgers[source].directories for source in sources)

    def _ask(self, feed: BusFeed, spelt: str) -> None:
        if (feed, spelt) not in self._asking and len(self._asking) < _AT_ONCE:
            self._asking.add((feed, spelt))
            gevent.spawn(self._learn, feed, spelt)

    def _learn(self, feed: BusFeed, spelt: str) -> None:
        folder, sure = tidy(spelt), False
        try:
            body = feed.requester.call(Describe("path", spelt), _DEADLINE_S).body
            folder, sure = msgspec.json.decode(body, type=_FolderBody).directory, True
        except CommandFailed as error:
            sure = error.kind == "invalid"  # the processor resolves no paths
        except (ProcessorGone, DeadlineExceeded, msgspec.MsgspecError) as error:
            log.debug("folder %r is used as it is spelt: resolving it failed: %s", spelt, error)
        finally:
            self._asking.discard((feed, spelt))
        self._note(feed, spelt, folder, sure)
        for wanted in [one for one in self._groups if one.directory == spelt]:
            self._look_again(wanted)

    def _note(self, feed: BusFeed, spelt: str, folder: str, sure: bool) -> None:
        self._answers.pop((feed, spelt), None)
        if len(self._answers) >= _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        until = time.monotonic() + (_FRESH_S if sure else _UNSURE_S)
        self._answers[feed, spelt] = _FolderAnswer(folder, sure, until)
