"""A table of what each route does, and where a request names its folder or session.

The last rows are pages of opencode's web app, which have no data of a user: an opencode answers
them with the same file. ``L`` begins a folder in base64.

Principals with a scope (limited to certain folders and sessions) may only use the routes in the
table. Principals without a scope may use every route: a route that is not in the table counts as a
read for ``GET`` and ``HEAD``, and as a write for any other method. But an upstream may read an odd
spelling as another route, such as ``/config;x`` as ``/config``. So two kinds of paths need the
action admin: unknown paths with unusual characters, and paths that servers read in several ways.
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
    """Where a request names its folder or its session, and so how its scope is checked."""

    PUBLIC = "public"
    """No folder or session: the route has no data of a user, and needs no login or token."""
    NOWHERE = "nowhere"
    """No folder or session: the route needs a login or token, but no scope is checked."""
    STREAM = "stream"
    """Each event of the stream names them: the scope filters the events."""
    FOLDER = "folder"
    """The query or a header names a folder (``directory``); default: the server's own folder."""
    LIST = "list"
    """As `FOLDER`; each item is checked too, since an upstream may list items of other folders."""
    LOCATION = "location"
    """``?location[directory]`` or a header names a folder; default: the server's own folder."""
    NAMED = "named"
    """As `FOLDER`, but the query must name the folder, once: without it, the items are of all
    folders."""
    SEARCH = "search"
    """As `NAMED`, or the query names a session, once (``session``)."""
    EVERYWHERE = "everywhere"
    """A list of items of all folders: each item is checked, and a folder only if it is named."""
    FILE = "file"
    """As `FOLDER`; ``?path`` is a file there. Only without an upstream: opencode follows links."""
    SESSION = "session"
    """The path names the session: ``{session}``."""
    CHILDREN = "children"
    """As `SESSION`; the answer has other sessions, so each of its items is checked too."""
    ASK = "ask"
    """The path names a permission request or a question of a session: ``{request}``."""
    ITEMS = "items"
    """The body or the answer's items name them; the route itself compares them to the scope."""
    SERVER = "server"
    """The route is about the whole server: only for principals without a scope."""


class Rule(Struct, frozen=True):
    """What a method of a route does, and where its requests name the folder or session."""

    action: Action
    place: Place


# Columns: methods (HEAD is as GET), path, `Place`, `Action`, and the server of the route. `own`:
# always weir. `both`: weir natively (without an upstream), the upstream in relay mode. `native`:
# only weir natively. `upstream`: only the upstream in relay mode.
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
GET      /project                                     everywhere read both
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
GET      /experimental/workspace                      folder  read   native
GET      /experimental/workspace                      server  read   upstream
GET      /experimental/workspace/status               folder  read   native
GET      /experimental/workspace/status               server  read   upstream

GET      /session/{session}/children                  children read  both
POST     /session/{session}/fork                      session write  both
POST     /session/{session}/revert                    session write  both
POST     /session/{session}/unrevert                  session write  both
POST     /session/{session}/summarize                 session write  both
POST     /session/{session}/shell                     session write  both
POST     /session/{session}/command                   session write  both
POST,DELETE /session/{session}/share                  session write  native
POST     /session/{session}/init                      session write  upstream
DELETE   /session/{session}/message/{message}         session write  native
PATCH,DELETE /session/{session}/message/{message}/part/{part} session write native
DELETE   /session/{session}/message/{message}         server  write  upstream
PATCH,DELETE /session/{session}/message/{message}/part/{part} server write upstream
GET      /file                                        file    read   native
GET      /file/content                                file    read   native
GET      /file/status                                 folder  read   both
GET      /find                                        folder  read   both
GET      /find/file                                   folder  read   both
PATCH    /project/{project}                           server  write  native
GET      /project/{project}/directories               everywhere read native
GET      /find/symbol                                 folder  read   both
GET      /doc                                         nowhere read   native
GET      /api/health                                  nowhere read   both
GET      /api/agent                                   folder  read   native
GET      /api/command                                 folder  read   native
GET      /api/integration                             folder  read   native
GET      /api/location                                folder  read   native
GET      /api/model                                   folder  write  native
GET      /api/provider                                folder  write  native
GET      /api/reference                               folder  read   native
GET      /api/session                                 named   read   native
GET      /api/session/active                          server  read   native
GET      /api/skill                                   folder  read   native
GET      /pty                                         folder  read   both
GET      /pty/shells                                  folder  read   both
POST     /pty                                         folder  admin  both
GET      /experimental/console/orgs                   folder  read   native
POST     /experimental/workspace                      server  write  native
GET      /experimental/workspace/adapter              folder  read   native
GET      /experimental/worktree                       folder  write  native
POST     /experimental/worktree                       server  write  native
GET      /weir/search                                 search  read   own
GET      /weir/session/{session}/output/{output}      session read   own
POST     /weir/session/{session}/output/{output}      server  read   upstream
POST     /weir/search                                 server  read   upstream
PATCH    /config                                      server  admin  both
GET,PATCH /global/config                              server  admin  both
POST     /global/dispose                              server  admin  both
POST     /instance/dispose                            server  admin  both
POST     /global/upgrade                              server  admin  upstream
PUT,DELETE /auth/{provider}                           server  admin  upstream
POST     /provider/{provider}/oauth/authorize         server  admin  upstream
POST     /provider/{provider}/oauth/callback          server  admin  upstream
GET      /api/agent                                   location read  upstream
GET      /api/command                                 location read  upstream
GET      /api/integration                             location read  upstream
GET      /api/location                                location read  upstream
GET      /api/model                                   location write upstream
GET      /api/provider                                location write upstream
GET      /api/reference                               location read  upstream
GET      /api/skill                                   location read  upstream
GET      /api/session/{session}                       session read   upstream
POST     /api/session/{session}/agent                 session write  upstream
POST     /api/session/{session}/model                 session write  upstream
POST     /api/session/{session}/prompt                session write  upstream
POST     /api/session/{session}/compact               session write  upstream
POST     /api/session/{session}/wait                  session write  upstream
POST     /api/session/{session}/interrupt             session write  upstream
POST     /api/session/{session}/revert/stage          session write  upstream
POST     /api/session/{session}/revert/clear          session write  upstream
POST     /api/session/{session}/revert/commit         session write  upstream
GET      /api/session/{session}/context               session read   upstream
GET      /api/session/{session}/history               session read   upstream
GET      /api/session/{session}/message               session read   upstream
GET      /api/session/{session}/message/{message}     session read   upstream
GET      /api/session/{session}/permission            session read   upstream
GET      /api/session/{session}/permission/{request}  session read   upstream
POST     /api/session/{session}/permission/{request}/reply session write upstream
GET      /api/session/{session}/question              session read   upstream
POST     /api/session/{session}/question/{request}/reply session write upstream
POST     /api/session/{session}/question/{request}/reject session write upstream
GET      /api/provider/{provider}                     server  write  upstream
POST     /api/integration/{integration}/connect/key   server  admin  upstream
POST     /api/integration/{integration}/connect/oauth server  admin  upstream
DELETE   /api/integration/attempt/{attempt}           server  admin  upstream
POST     /api/integration/attempt/{attempt}/complete  server  admin  upstream
PATCH,DELETE /api/credential/{credential}             server  admin  upstream
POST     /experimental/console/switch                 server  admin  upstream
GET      /pty/{pty}                                   folder  read   upstream
PUT,DELETE /pty/{pty}                                 folder  admin  upstream
GET      /pty/{pty}/connect                           folder  admin  upstream
POST     /pty/{pty}/connect-token                     folder  admin  upstream
POST     /api/pty                                     server  admin  upstream
PUT,DELETE /api/pty/{pty}                             server  admin  upstream
GET      /api/pty/{pty}/connect                       server  admin  upstream
POST     /api/pty/{pty}/connect-token                 server  admin  upstream
POST,DELETE /mcp/{name}/auth                          server  admin  upstream
POST     /mcp/{name}/auth/authenticate                server  admin  upstream
POST     /mcp/{name}/auth/callback                    server  admin  upstream
POST     /mcp                                         server  admin  both
POST     /mcp/{name}/connect                          server  admin  both
POST     /mcp/{name}/disconnect                       server  admin  both
POST     /experimental/control-plane/move-session     server  admin  upstream
GET      /                                            nowhere read   upstream
GET      /assets/{name}                               nowhere read   upstream
GET      /{name}.ico                                  nowhere read   upstream
GET      /{name}.png                                  nowhere read   upstream
GET      /{name}.svg                                  nowhere read   upstream
GET      /site.webmanifest                            nowhere read   upstream
GET      /new-session                                 nowhere read   upstream
GET      /L{folder}/session                           nowhere read   upstream
GET      /L{folder}/session/{page}                    nowhere read   upstream
GET      /server/{server}/session                     nowhere read   upstream
GET      /server/{server}/session/{page}              nowhere read   upstream
"""
_AMBIGUOUS = re.compile(r"[;\\]|%(?:2[ef53]|3[bf]|5c)|/\.{1,2}(?:/|$)", re.IGNORECASE)
_PLAIN = re.compile(
    r"/|(?:/[A-Za-z0-9_~:@-](?:[A-Za-z0-9._~:@-]|%20|%[89A-Fa-f][0-9A-Fa-f])*)+/?", re.ASCII
)
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_plain(path: str) -> bool:
    """Return whether a path, as it was sent, has only characters that all servers read alike."""
    return _PLAIN.fullmatch(path) is not None


class _Methods:
    """The rules of one path template, in the form of a Falcon resource, for Falcon's router."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}

    def add(self, method: str, rule: Rule) -> None:
        """Add the rule of a method."""
        self.rules[method] = rule
        # The router only accepts a resource with a responder for each method. No responder runs.
        setattr(self, f"on_{method.lower()}", lambda *_args, **_kwargs: None)

    def of(self, method: str) -> Rule | None:
        """Return the rule of a method; if all rules are public, any method gets a public rule."""
        rules = self.rules.values()
        is_public = all(rule.place is Place.PUBLIC for rule in rules)
        return self.rules.get(method) or (next(iter(rules)) if is_public else None)


class Found(Struct, frozen=True):
    """The rule for a request.

    Attributes:
        rule: the rule of the request's route and method.
        params: the values in the path, by the names in the template (``session``).
        known: the table has the route; if not, `rule` is a default.
    """

    rule: Rule
    params: dict[str, str]
    known: bool = True


class Rules:
    """Finds rules in the table; `has_upstream` chooses between relay mode and native mode."""

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
        """Return the rule for a request.

        Args:
            method: the HTTP method.
            path: the path, percent-encoded, without the query.
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
