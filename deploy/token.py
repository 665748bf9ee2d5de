"""`weir token`: makes, lists and revokes the tokens of a state folder."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from bus.process import flags
from bus.process.flags import BadFlag, Flag, HelpAsked, Kind
from bus.process.folder import make_private
from deploy.up import default_state
from gateway.access.lifetime import ALLOWED, seconds
from gateway.access.principal import Action
from gateway.access.token_file import NameTaken, StoredToken, TokenFile
from gateway.relay.scope import is_glob

_VERBS = ("create", "list", "revoke")
_USAGE = f"""\
  create NAME [--read|--write|--admin] [--directory GLOB] [--session ID] [--expires 30d]
      make a token, and print it: this is the only time that it is shown
  list
      list the tokens: id, name, what it may do, where, and until when
  revoke NAME|ID
      make a token invalid, and end its streams, within a second
Allowed are {", ".join(_VERBS)}."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def _globs(value: str) -> tuple[str, ...]:
    globs = tuple(value.split(","))
    if not all(map(is_glob, globs)):
        raise ValueError
    return globs


def _sessions(value: str) -> tuple[str, ...]:
    ids = tuple(value.split(","))
    if not all(map(_NAME.fullmatch, ids)):
        raise ValueError
    return ids


def _lifetime(value: str) -> str:
    seconds(value)
    return value


LIFETIME = Kind(_lifetime, ALLOWED)


TOKEN_FLAGS = (
    flags.switch("read", "the token may read; this is the default"),
    flags.switch("write", "the token may read and write"),
    flags.switch("admin", "the token may do everything"),
    Flag(
        "directory",
        Kind(_globs, "an absolute path; * is any part of a name, ** any folders"),
        None,
        "the folders of the token (repeatable); without --directory and --session: all",
        many=True,
    ),
    Flag(
        "session",
        Kind(_sessions, "the id of a session"),
        None,
        "sessions of the token, whatever folder they are in (repeatable)",
        many=True,
    ),
    Flag("expires", LIFETIME, "30d", "how long the token is valid"),
)


class TokenOptions(Struct, frozen=True):
    """The request of a command line.

    Attributes:
        verb: one of `_VERBS`.
        state: the state folder.
        name: the name of the token, or its id; empty for ``list``.
        action: what a new token may do.
        directories: folders of a new token.
        sessions: sessions of a new token.
        lasts_s: how long a new token is valid; None: for ever.
    """

    verb: str
    state: Path
    name: str = ""
    action: Action = Action.READ
    directories: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    lasts_s: float | None = None


def read(argv: Sequence[str], environ: Mapping[str, str]) -> TokenOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a word or a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    state = state_flag(environ)
    all_flags = (state, *TOKEN_FLAGS)
    if {"--help", "-h"}.intersection(argv):
        try:
            flags.read(["--help"], {}, all_flags)
        except HelpAsked as words:
            raise HelpAsked(f"{_USAGE}\n{words}") from None
    if not argv or argv[0] not in _VERBS:
        given = argv[0] if argv else ""
        raise BadFlag(f"{given!r} is not allowed; allowed are {', '.join(_VERBS)}")
    verb, rest = argv[0], list(argv[1:])
    name = rest.pop(0) if verb != "list" and rest and not rest[0].startswith("-") else ""
    # Other variables of the environment would give every token the same folders.
    known = {name: value for name, value in environ.items() if name == state.env}
    values = flags.read(rest, known, all_flags if verb == "create" else (state,))
    if verb != "list":
        check_name(name)
    if verb == "create":
        return options_of(name, values)
    return TokenOptions(verb, _state_in(values), name)


def state_flag(environ: Mapping[str, str]) -> Flag:
    """Return the flag of the state folder."""
    return Flag("state", flags.FOLDER, default_state(environ), "the state folder of weir up")


def check_name(name: str) -> None:
    """Refuse a name that no token may have.

    Raises:
        BadFlag: the name is not allowed.
    """
    if not _NAME.fullmatch(name):
        raise BadFlag(f"{name!r} is not the name of a token; allowed are letters, digits, . _ @ -")


def options_of(name: str, values: Mapping[str, Any]) -> TokenOptions:
    """Return the options of a new token, from the values of `TOKEN_FLAGS` and of the state flag.

    Raises:
        BadFlag: there is no state folder.
    """
    asked = [one for one in Action if values[one.word]]
    return TokenOptions(
        "create",
        _state_in(values),
        name,
        max(asked, default=Action.READ),
        values["directory"] or (),
        values["session"] or (),
        seconds(values["expires"]),
    )


def _state_in(values: Mapping[str, Any]) -> Path:
    if values["state"] is None:
        raise BadFlag("--state: missing; allowed is a folder")
    return Path(values["state"])


def run(options: TokenOptions, out: TextIO = sys.stdout) -> int:
    """Execute a command; return the exit status.

    Raises:
        BadFlag: the token does not exist, or its name is taken.
        CannotStart: the state folder or its tokens cannot be used.
    """
    make_private(options.state, "--state")
    file = TokenFile(options.state)
    if options.verb == "list":
        for one in file.read():
            print(_row(one), file=out)
        return 0
    if options.verb == "revoke":
        gone = file.remove(lambda one: options.name in (one.id, one.name))
        if not gone:
            raise BadFlag(f"{options.name!r}: there is no token of this name or id; see list")
        print(f"revoked: {', '.join(f'{one.name} ({one.id})' for one in gone)}", file=out)
        return 0
    secret, made = create(options)
    print(secret, file=out)
    print(f"{_row(made)}\nThe token is not shown again. Give it as WEIR_TOKEN.", file=sys.stderr)
    return 0


def create(options: TokenOptions) -> tuple[str, StoredToken]:
    """Make a token; return its text, and its stored form.

    Raises:
        BadFlag: the name is taken.
        CannotStart: the state folder or its tokens cannot be used.
    """
    make_private(options.state, "--state")
    expires = None if options.lasts_s is None else time.time() + options.lasts_s
    try:
        return TokenFile(options.state).add(
            options.name, options.action, expires, options.directories, options.sessions
        )
    except NameTaken:
        words = f"{options.name!r}: a token of this name is there already; revoke it first"
        raise BadFlag(words) from None


def _row(one: StoredToken) -> str:
    where = ", ".join((*one.directories, *one.sessions)) or "everywhere"
    until = "for ever"
    if one.expires is not None:
        shown = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.expires))
        until = f"until {shown}" if one.expires > time.time() else f"expired {shown}"
    return f"{one.id}  {one.name:16}  {one.action:5}  {where}  {until}"


def main(words: Sequence[str]) -> int:
    """Run the command."""
    return run(read(words, os.environ))
