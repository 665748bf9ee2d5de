"""Errors of SQLite in the store, and the errors that a client gets for them."""

from __future__ import annotations

import sqlite3

from bus.answers import CommandFailed, FailureKind

_PASSES_S, _MAY_PASS_S = 1, 30
_MEANING: dict[int, tuple[FailureKind, int | None]] = {
    sqlite3.SQLITE_BUSY: ("unavailable", _PASSES_S),
    sqlite3.SQLITE_LOCKED: ("unavailable", _PASSES_S),
    sqlite3.SQLITE_NOMEM: ("unavailable", _PASSES_S),
    sqlite3.SQLITE_READONLY: ("unavailable", _MAY_PASS_S),
    sqlite3.SQLITE_PERM: ("unavailable", _MAY_PASS_S),
    sqlite3.SQLITE_CANTOPEN: ("unavailable", _MAY_PASS_S),
    sqlite3.SQLITE_IOERR: ("unavailable", _MAY_PASS_S),
    sqlite3.SQLITE_PROTOCOL: ("unavailable", _MAY_PASS_S),
    sqlite3.SQLITE_CORRUPT: ("unavailable", None),
    sqlite3.SQLITE_NOTADB: ("unavailable", None),
    sqlite3.SQLITE_FULL: ("no_room", None),
}


class StoreFailed(Exception):
    """SQLite could not execute a job of `Database`; the job has stored nothing."""

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(str(error))
        self.__cause__ = error


def translated(error: Exception) -> Exception:
    """Return `StoreFailed` for an error of SQLite; return every other error unchanged."""
    return StoreFailed(error) if isinstance(error, sqlite3.Error) else error


def is_busy(error: Exception) -> bool:
    """Return whether another process has locked the database."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def refusal(error: StoreFailed) -> CommandFailed:
    """Return the error with which a command fails if the store fails, by SQLite's error code."""
    kind, retry_after_s = _MEANING.get(_code(error.__cause__), ("internal", None))
    message = f"the store failed: {error}"
    return CommandFailed(kind, message, retry_after_s=retry_after_s)


def _code(error: BaseException | None) -> int:
    """Return SQLite's primary result code; 0 for an error that SQLite has not raised."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
