"""`weir pair`: makes a token, and shows a QR code that logs a phone in with this token."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import segno
from msgspec import Struct

from bus.origin import UPSTREAM, Origin
from bus.process import flags
from bus.process.flags import REQUIRED, Flag, HelpAsked
from deploy.share import link_to
from deploy.token import (
    TOKEN_FLAGS,
    TokenOptions,
    check_name,
    create,
    options_of,
    state_flag,
)

_NAME = "phone"
_USAGE = f"""\
  [NAME] --url URL [--read|--write|--admin] [--directory GLOB] [--session ID] [--expires 30d]
      make a token NAME ({_NAME!r} if none is given), and show the QR code of a link that logs in
      with it; weir token revoke NAME ends the login within a second"""
_URL = Flag("url", UPSTREAM, REQUIRED, "the address at which the phone reaches weir")


class PairOptions(Struct, frozen=True):
    """The token to make, and the server that the link leads to."""

    token: TokenOptions
    server: Origin


def read(argv: Sequence[str], environ: Mapping[str, str]) -> PairOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a word or a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    rest, state = list(argv), state_flag(environ)
    name = rest.pop(0) if rest and not rest[0].startswith("-") else _NAME
    # Other variables of the environment would give every token the same folders.
    known = {name: value for name, value in environ.items() if name in (state.env, _URL.env)}
    try:
        values = flags.read(rest, known, (_URL, state, *TOKEN_FLAGS))
    except HelpAsked as words:
        raise HelpAsked(f"{_USAGE}\n{words}") from None
    check_name(name)
    return PairOptions(options_of(name, values), values["url"])


def run(options: PairOptions, out: TextIO) -> int:
    """Make the token, and print the QR code and the link; return the exit status."""
    secret, made = create(options.token)
    view = f"sessions/{made.sessions[0]}" if len(made.sessions) == 1 else "sessions"
    link = link_to(options.server, view, secret)
    segno.make(link, error="l", micro=False).terminal(out, compact=True)
    print(link, file=out)
    print(f"Scan the code with the phone. weir token revoke {made.name} ends its login.", file=out)
    return 0


def main(words: Sequence[str]) -> int:
    """Run the command."""
    return run(read(words, os.environ), sys.stdout)
