"""`weir share`: makes, lists and revokes links to one session of a running server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO
from urllib.parse import quote

import msgspec
from msgspec import Struct

from acp_client.api.server import Server, ServerFailure
from bus.origin import Origin
from bus.process.flags import BadFlag, Flag, HelpAsked
from deploy import command_line
from deploy.token import LIFETIME

_USAGE = """\
  SESSION [--expires 7d]
      make a link to a session, read only, and print it: this is the only time that it is shown
  list
      list the links: id, session, and until when
  revoke ID|SESSION
      make a link, or all links of a session, invalid within a second
WEIR_TOKEN, or OPENCODE_SERVER_PASSWORD, says who you are."""
_FLAGS = (Flag("expires", LIFETIME, "7d", "how long the link is valid"),)


class _Share(Struct):
    id: str
    session: str
    expires: float | None


class _Made(Struct):
    token: str


class ShareOptions(Struct, frozen=True):
    """The request of a command line.

    Attributes:
        server: where the session is.
        verb: ``create``, ``list`` or ``revoke``.
        name: a session, or the id of a share; empty for ``list``.
        expires: how long a new link is valid.
    """

    server: Origin
    verb: str
    name: str
    expires: str


def read(argv: Sequence[str], environ: Mapping[str, str]) -> ShareOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a word or a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    rest = list(argv)
    words = []
    while rest and not rest[0].startswith("-"):
        words.append(rest.pop(0))
    try:
        server, values = command_line.read_plain(rest, environ, _FLAGS)
    except HelpAsked as flags_help:
        raise HelpAsked(f"{_USAGE}\n{flags_help}") from None
    verb = words.pop(0) if words and words[0] in ("list", "revoke") else "create"
    if len(words) != (verb != "list"):
        shown = " ".join(words)
        raise BadFlag(f"{shown!r} is not allowed; allowed are SESSION, list, and revoke ID")
    return ShareOptions(server, verb, "".join(words), values["expires"])


def run(options: ShareOptions, out: TextIO) -> int:
    """Execute a command; return the exit status."""
    try:
        _execute(Server(options.server), options, out)
    except ServerFailure as failure:
        print(f"weir share: {failure}", file=sys.stderr)
        return 1
    return 0


def _execute(server: Server, options: ShareOptions, out: TextIO) -> None:
    if options.verb == "create":
        asked = {"session": options.name, "expires": options.expires}
        made = msgspec.json.decode(server.ask("POST", "/weir/shares", asked), type=_Made)
        print(link_to(options.server, f"sessions/{quote(options.name, '')}", made.token), file=out)
        return
    shares = server.get("/weir/shares", list[_Share])
    if options.verb == "list":
        for one in shares:
            print(f"{one.id}  {one.session}  {_until(one.expires)}", file=out)
        return
    chosen = [one for one in shares if options.name in (one.id, one.session)]
    if not chosen:
        raise BadFlag(f"{options.name!r}: no link has this id or session; see weir share list")
    for one in chosen:
        server.ask("DELETE", f"/weir/shares/{one.id}")
        print(f"revoked: {one.id} ({one.session})", file=out)


def link_to(server: Origin, view: str, token: str) -> str:
    """Return the address of a view of the console, for a browser that has no token yet."""
    return f"{server}/weir/console/{view}#token={token}"


def _until(expires: float | None) -> str:
    if expires is None:
        return "for ever"
    return time.strftime("until %Y-%m-%d %H:%M", time.localtime(expires))


def main(words: Sequence[str]) -> int:
    """Run the command."""
    return run(read(words, os.environ), sys.stdout)
