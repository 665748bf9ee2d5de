"""The text of parts that still grow: whole in memory, and saved in chunks from time to time.

The saved text of a part is always a prefix of its whole text: the next chunk is written only after
the write of the last chunk has succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gevent.lock import BoundedSemaphore
from msgspec import Struct, field

from processor.store.chunks import Chunk

CHUNK_LENGTH = 64 * 1024


class _Draft(Struct):
    saved: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


class Drafts:
    """The texts of all parts that still grow.

    Args:
        write: stores all given chunks, or stores none and raises an error.
    """

    def __init__(self, write: Callable[[list[Chunk]], object]) -> None:
        self._write = write
        self._drafts: dict[str, _Draft] = {}
        self._flushing = BoundedSemaphore(1)
        self._began: float | None = None

    @property
    def flushing_s(self) -> float | None:
        """How many seconds ago the running flush began; None if no flush runs."""
        return None if self._began is None else time.monotonic() - self._began

    @property
    def are_pending(self) -> bool:
        """Whether any part has text that is not saved yet."""
        return any(draft.pending for draft in self._drafts.values())

    def add(self, part: str, deltas: Sequence[str]) -> None:
        """Append to the text of a part; an unknown part begins with an empty text."""
        draft = self._drafts.get(part)
        if draft is None:
            draft = self._drafts[part] = _Draft()
        draft.pending.extend(deltas)

    def resume(self, part: str, saved: Sequence[str]) -> None:
        """Continue a part that an earlier processor has begun; `saved` has its stored chunks."""
        self._drafts[part] = _Draft(list(saved))

    def close(self, part: str) -> str:
        """Return the whole text of a part that no longer grows, and drop the part."""
        draft = self._drafts.pop(part, None)
        return "" if draft is None else "".join(draft.saved) + "".join(draft.pending)

    def flush(self) -> None:
        """Write all text that is not saved yet; wait until it is saved."""
        with self._flushing:
            self._began = time.monotonic()
            try:
                self._write_pending()
            finally:
                self._began = None

    def _write_pending(self) -> None:
        pending = [
            (part, draft, len(draft.pending))
            for part, draft in self._drafts.items()
            if draft.pending
        ]
        if not pending:
            return
        texts = [_cut("".join(draft.pending)) for _, draft, _ in pending]
        self._write(
            [
                (part, position, text)
                for (part, draft, _), cut in zip(pending, texts, strict=True)
                for position, text in enumerate(cut, len(draft.saved))
            ]
        )
        for (_, draft, count), cut in zip(pending, texts, strict=True):
            draft.saved += cut
            del draft.pending[:count]


def _cut(text: str) -> list[str]:
    """Divide text into chunks of at most `CHUNK_LENGTH` characters."""
    return [text[at : at + CHUNK_LENGTH] for at in range(0, len(text), CHUNK_LENGTH)]
