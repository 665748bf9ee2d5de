"""Moves a login from a URL on the command line to the environment, which `ps` does not show."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from bus.origin import PASSWORD_VARIABLE, USERNAME_VARIABLE, Origin
from bus.process.flags import BadFlag
from bus.process.login import Login

_URL_FLAGS = ("--upstream", "--url", "--server")


def hide_login(words: Sequence[str]) -> None:
    """If `words` contain a login, execute this program again with the login in its environment.

    The process keeps its pid. Nothing happens if `words` are not the command line of this process.
    """
    clean, login = without_login(words)
    before = sys.orig_argv[1 : len(sys.orig_argv) - len(words)]
    if clean == [*words] or sys.orig_argv[1:] != [*before, *words]:
        return
    if login is not None:
        os.environ[USERNAME_VARIABLE] = login.username
        os.environ[PASSWORD_VARIABLE] = login.password
    os.execv(sys.executable, [sys.orig_argv[0], *before, *clean])


def without_login(words: Sequence[str]) -> tuple[list[str], Login | None]:
    """Return a command line without logins, and the login of the last URL: the last URL counts."""
    clean: list[str] = []
    login: Login | None = None
    before = ""
    for word in words:
        name, equals, value = word.partition("=")
        if before in _URL_FLAGS:
            name, equals, value = before, "", word
        elif not before and not word.startswith("--"):
            name, equals, value = "--url", "", word  # `weir bench URL`
        origin = _origin(value) if name in _URL_FLAGS else None
        if origin is not None:
            login = origin.login
        if origin is None or origin.login is None:
            clean.append(word)
        else:
            clean.append(f"{name}={origin}" if equals else str(origin))
        before = word
    return clean, login


def _origin(value: str) -> Origin | None:
    try:
        return Origin.parse(value)
    except BadFlag:
        return None  # an invalid URL is refused later, where the flag is read
