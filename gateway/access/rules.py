"""What each route does, and where a request names its folder or session: one table.

Principals with a scope may only use these routes. Principals without a scope may use every route:
a route that is not in the table counts as a read for ``GET`` and ``HEAD``, and as a write for any
other method. But an upstream may read an odd spelling as another route, such as ``/config;x`` as
``/config``. So an unknown path that is not plain is for administrators, and so is each path that
servers read in more than one way.
"""

from __future__ import annotations

import enum
import re
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from gateway.access.principal import Action
from gateway.router import Router


class Place(enum.Enum):
    """Where the folder or the session of a request is named."""

    PUBLIC = "public"
    """Nowhere: the route has no data of a user, and needs no identity."""
    NOWHERE = "nowhere"
    """The route has no data of a folder or a session, and is for every principal."""
    STREAM = "stream"
    """In each event: the scope filters the stream."""
    FOLDER = "folder"
    """In ``?directory`` or ``x-opencode-directory``; the default is the server's own folder."""
    LIST = "list"
    """As `FOLDER`; an upstream may list more than the folder, so each item is checked."""
    FILE = "file"
    """As `FOLDER`; ``?path`` is a file in this folder. Only natively: opencode follows links."""
    SESSION = "session"
    """In the path: ``{session}``."""
    CHILDREN = "children"
    """As `SESSION`; the answer has other sessions, so each item is checked."""
    ASK = "ask"
    """In the path: ``{request}``, a permission or a question of a session."""
    ITEMS = "items"
    """In the body, or in each item of the answer: weir's own resource compares it to the scope."""
    SERVER = "server"
    """Everywhere: only for principals without a scope."""


class Rule(Struct, frozen=True):
    """The rule of a route and a method."""

    action: Action
    place: Place


# Methods are joined with commas; HEAD follows GET. `own`: weir's own, also in front of an
# upstream; `both`: of weir natively, and of the upstream in relay mode; `native`, `upstream`: only
# in this mode.
_TABLE = """
GET      /                                            public  read   native
GET      /event                                       stream  read   own
GET      /global/event                                stream  read   own
GET      /global/health                               nowhere read   own
GET      /metrics                                     server  read   own
GET      /weir/livez                                  public  read   own
GET      /weir/readyz                                 public  read   own
GET      /weir/status                                 server  read   own
GET      /weir/history                                server  read   own
GET      /weir/readers                                server  read   own
DELETE   /weir/readers/{reader}                       server  admin  own
GET      /weir/hold                                   server  read   own
GET      /weir/agents                                 server  read   own
GET,POST /weir/agents/{name}                          server  write  own
POST     /weir/agents                                 server  write  upstream
GET      /weir/login                                  nowhere read   own
POST,DELETE /weir/login                               public  read   own
GET,POST /weir/shares                                 items    write  own
DELETE   /weir/shares/{share}                         items    write  own
GET      /weir/console                                public  read   own
GET      /weir/console/overview                       public  read   own
GET      /weir/console/readers                        public  read   own
GET      /weir/console/sources                        public  read   own
GET      /weir/console/tail                           public  read   own
GET      /weir/console/sessions                       public  read   own
GET      /weir/console/sessions/{session}             public  read   own
GET      /weir/console/static/{version}/{name}        public  read   own
GET      /weir/console/static/{version}/vendor/{name} public  read   own
GET      /weir/console/static/{version}/views/{name}  public  read   own

GET      /session                                     list    read   both
POST     /session                                     folder  write  both
GET      /session/status                              list    read   both
GET      /session/{session}                           session read   both
PATCH,DELETE /session/{session}                       session write  both
GET      /session/{session}/message                   session read   both
POST     /session/{session}/message                   session write  both
GET      /session/{session}/message/{message}         session read   both
POST     /session/{session}/prompt_async              session write  both
POST     /session/{session}/abort                     session write  both
GET      /session/{session}/todo                      session read   both
GET      /session/{session}/diff                      session read   both
GET      /permission                                  list    read   both
POST     /permission/{request}/reply                  ask     write  both
POST     /session/{session}/permissions/{request}     session write  both
GET      /question                                    list    read   both
POST     /question/{request}/reply                    ask     write  both
POST     /question/{request}/reject                   ask     write  both
GET      /config                                      folder  write  both
GET      /config/providers                            folder  write  both
GET      /provider                                    folder  write  both
GET      /provider/auth                               folder  write  both
GET      /agent                                       folder  read   both
GET      /path                                        folder  read   both
GET      /project                                     server  read   both
GET      /project/current                             folder  read   both
GET      /command                                     folder  read   both
GET      /skill                                       folder  read   both
GET      /mcp                                         folder  read   both
GET      /lsp                                         folder  read   both
GET      /formatter                                   folder  read   both
GET      /vcs                                         folder  read   both
GET      /experimental/capabilities                   folder  read   both
GET      /experimental/console                        folder  read   both
GET      /experimental/resource                       folder  read   both
GET      /experimental/tool                           folder  read   both
GET      /experimental/tool/ids                       folder  read   both
GET      /experimental/workspace                      server  read   both
GET      /experimental/workspace/status               server  read   both

GET      /session/{session}/children                  children read  both
POST     /session/{session}/fork                      session write  both
POST     /session/{session}/revert                    session write  both
POST     /session/{session}/unrevert                  session write  both
POST     /session/{session}/summarize                 session write  both
POST     /session/{session}/shell                     session write  both
POST     /session/{session}/command                   session write  both
POST,DELETE /session/{session}/share                  session write  native
POST     /session/{session}/init                      session write  upstream
DELETE   /session/{session}/message/{message}         server  write  both
PATCH,DELETE /session/{session}/message/{message}/part/{part} server write both
GET      /file                                        file    read   native
GET      /file/content                                file    read   native
GET      /file/status                                 folder  read   both
GET      /find                                        folder  read   both
GET      /find/file                                   folder  read   both
PATCH    /project/{project}                           server  write  native
GET      /project/{project}/directories               server  read   native
GET      /find/symbol                                 folder  read   both
GET      /doc                                         nowhere read   native
GET      /api/health                                  nowhere read   native
GET      /api/agent                                   folder  read   native
GET      /api/command                                 folder  read   native
GET      /api/integration                             folder  read   native
GET      /api/location                                folder  read   native
GET      /api/model                                   folder  write  native
GET      /api/provider                                folder  write  native
GET      /api/reference                               folder  read   native
GET      /api/session                                 items   read   native
GET      /api/session/active                          server  read   native
GET      /api/skill                                   folder  read   native
GET      /pty                                         server  read   native
GET      /pty/shells                                  server  read   native
POST     /pty                                         server  admin  both
GET      /experimental/console/orgs                   server  read   native
POST     /experimental/workspace                      server  write  native
GET      /experimental/workspace/adapter              server  read   native
GET,POST /experimental/worktree                       server  write  native
GET      /weir/search                                 items   read   own
GET      /weir/session/{session}/output/{output}      session read   own
POST     /weir/session/{session}/output/{output}      server  read   upstream
POST     /weir/search                                 server  read   upstream
PATCH    /config                                      server  admin  both
GET,PATCH /global/config                              server  admin  both
POST     /global/dispose                              server  admin  both
POST     /instance/dispose                            server  admin  both
POST     /global/upgrade                              server  admin  upstream
PUT,DELETE /auth/{provider}                           server  admin  upstream
POST     /mcp                                         server  admin  both
POST     /mcp/{name}/connect                          server  admin  both
POST     /mcp/{name}/disconnect                       server  admin  both
POST     /experimental/control-plane/move-session     server  admin  upstream
GET      /                                            nowhere read   upstream
GET      /assets/{name}                               nowhere read   upstream
"""
_AMBIGUOUS = re.compile(r"[;\\]|%(?:2[ef53]|3[bf]|5c)|/\.{1,2}(?:/|$)", re.IGNORECASE)
_PLAIN = re.compile(
    r"/|(?:/[A-Za-z0-9_~:@-](?:[A-Za-z0-9._~:@-]|%20|%[89A-Fa-f][0-9A-Fa-f])*)+/?", re.ASCII
)
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_plain(path: str) -> bool:
    """Return whether every server reads a path, as it was sent, in the same way."""
    return _PLAIN.fullmatch(path) is not None


class _Methods:
    """The rules of one template, in the form in which a router keeps a resource."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}

    def add(self, method: str, rule: Rule) -> None:
        """Add the rule of a method."""
        self.rules[method] = rule
        # The router requires a responder for each method; it is never called.
        setattr(self, f"on_{method.lower()}", lambda *_args, **_kwargs: None)

    def of(self, method: str) -> Rule | None:
        """Return the rule of a method; a public route is public for all methods."""
        rules = self.rules.values()
        is_public = all(rule.place is Place.PUBLIC for rule in rules)
        return self.rules.get(method) or (next(iter(rules)) if is_public else None)


class Found(Struct, frozen=True):
    """The rule of a request.

    Attributes:
        rule: of the route and the method.
        params: the values in the path.
        known: the table has the route.
    """

    rule: Rule
    params: dict[str, str]
    known: bool = True


class Rules:
    """The table, natively or in front of an upstream."""

    def __init__(self, has_upstream: bool) -> None:
        self._has_upstream = has_upstream
        self._router = Router()
        templates: dict[str, _Methods] = {}
        for line in filter(None, map(str.strip, _TABLE.splitlines())):
            methods, template, place, action, whose = line.split()
            if whose != ("native" if has_upstream else "upstream"):
                rule = Rule(Action[action.upper()], Place(place))
                for method in methods.split(","):
                    templates.setdefault(template, _Methods()).add(method, rule)
        for template, found in templates.items():
            self._router.add_route(template, found)
        self.templates = {name: dict(one.rules) for name, one in templates.items()}

    def of(self, method: str, path: str) -> Found:
        """Return the rule of a request.

        Args:
            method: as it came.
            path: percent-encoded, without the query.
        """
        found: Any = self._router.find(unquote(path))
        rule = None
        if found is not None:
            resource, _, params, _ = found
            rule = resource.of("GET" if method == "HEAD" else method)
        if self._has_upstream and _is_odd(path, rule is not None):
            return Found(Rule(Action.ADMIN, Place.SERVER), {}, known=False)
        if rule is None:
            action = Action.READ if method in READS else Action.WRITE
            return Found(Rule(action, Place.SERVER), {}, known=False)
        return Found(rule, {name: str(value) for name, value in params.items()})


def _is_odd(path: str, is_known: bool) -> bool:
    return _AMBIGUOUS.search(path) is not None or not (is_known or is_plain(path))
