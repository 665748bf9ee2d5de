"""Formats a transcript as entries, each with its time and the short name of its session.

::

    13:45:02 19rB > list the files
    13:45:03 19rB * bash ls
      | README.md
    13:45:04 19rB There is one file, and
      its name is README.md.

An entry begins in the first column; its further lines are indented. Long lines are left to the
terminal to wrap. So the text does not depend on the width of a terminal, and can be piped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterator

from deploy.terminal import shown, shown_line
from deploy.transcript.bounded_dict import BoundedDict

PLAIN, DIM, BOLD, RED, GREEN, YELLOW = "", "2", "1", "31", "32", "33"
_OF_SESSIONS = ("36", "35", "34", "33", "32", "31")
INDENT = "  "
_NEW_LINE = re.compile(r"\n(?=[^\n])")
_SHORT = 4
_PREFIX = "ses_"
_LATEST_MS = 253402300799000
"""The end of the year 9999, in Unix milliseconds: later times cannot be formatted."""
_DAY, _OTHER_DAY = "%H:%M:%S", "%m-%d %H:%M:%S"


class TranscriptPage:
    """Formats the entries of a transcript.

    Args:
        colour: whether to use ANSI colours.
        clock: returns the present time, in seconds since the Unix epoch.

    Attributes:
        is_live: True: entries are events that happen now; False: they are earlier messages.
    """

    def __init__(self, colour: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.is_live = True
        self._at_s: float | None = None
        self._colour = colour
        self._clock = clock
        self._names: BoundedDict[str, str] = BoundedDict()
        self._last: Hashable = None
        self._in_line = False

    def turn_back(self, at_ms: object) -> None:
        """Format earlier messages, at the time `at_ms` if it is valid, until `turn_on`."""
        self._at_s = None
        if isinstance(at_ms, int | float) and 0 <= at_ms <= _LATEST_MS:
            self._at_s = at_ms / 1000
        self.is_live = False

    def turn_on(self) -> None:
        """Format events that happen now, after earlier messages (`turn_back`)."""
        self._at_s, self.is_live = None, True

    def entry(
        self, session: str | None, text: str, colour: str = PLAIN, key: Hashable = None
    ) -> Iterator[str]:
        """Yield the text of a whole entry.

        Args:
            session: the id of the session; None if the entry is about no session.
            text: the text of the entry.
            colour: a colour of this module, such as `DIM`.
            key: identifies the entry for `continues`.
        """
        yield from self._begin(session)
        yield self._indented(text, colour) + "\n"
        self._last, self._in_line = key, False

    def grow(
        self, session: str, key: Hashable, text: str, colour: str = PLAIN, mark: str = ""
    ) -> Iterator[str]:
        """Yield text that is appended to the last entry, or that begins a new entry.

        Args:
            session: the id of the session.
            key: identifies the entry. If the last entry has another key, a new entry begins.
            text: the text to append.
            colour: a colour of this module, such as `DIM`.
            mark: the characters before the text of a new entry.
        """
        if self._last != key:
            yield from self._begin(session)
            self._last, self._in_line = key, True
            text = mark + text
        elif not self._in_line and not text.startswith("\n"):
            yield INDENT
        yield self._indented(text, colour)
        self._in_line = not text.endswith("\n")

    def continues(self, key: Hashable) -> bool:
        """Return whether the last entry has this key, so that more lines can be added to it."""
        return self._last == key

    def under(self, lines: Iterator[tuple[str, str]]) -> Iterator[str]:
        """Yield indented lines that belong to the last entry, from pairs of text and colour."""
        for text, colour in lines:
            yield f"{INDENT}{self._paint(colour, shown_line(text))}\n"

    def _begin(self, session: str | None) -> Iterator[str]:
        if self._in_line:
            yield "\n"
            self._in_line = False
        if session is None:
            yield self._stamp()
            return
        if session not in self._names:
            name = self._names[session] = self._short(session)
            yield f"{self._stamp()}{self._named(name)}"
            yield self._paint(DIM, f"── {shown_line(session)}") + "\n"
        yield f"{self._stamp()}{self._named(self._names[session])}"

    def _short(self, session: str) -> str:
        """Return the last characters of a session's id, as many as make it differ from others."""
        stem, size = shown_line(session.removeprefix(_PREFIX)), _SHORT
        while size < len(stem) and stem[-size:] in self._names.values():
            size += 1
        return stem[-size:]

    def _named(self, name: str) -> str:
        return self._paint(_OF_SESSIONS[sum(name.encode()) % len(_OF_SESSIONS)], name) + " "

    def _stamp(self) -> str:
        now = time.localtime(self._clock())
        at = now if self._at_s is None else time.localtime(self._at_s)
        form = _DAY if at[:3] == now[:3] else _OTHER_DAY
        return self._paint(DIM, time.strftime(form, at)) + " "

    def _indented(self, text: str, colour: str) -> str:
        return self._paint(colour, _NEW_LINE.sub(f"\n{INDENT}", shown(text)))

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour and text else text
