"""Checks that a request stays within the scope of its principal.

1. A folder may be spelt in several ways (encoded once or twice), and servers differ in how they
   read the spelling. So each possible reading of each folder in a request has to be in the scope.
2. A session outside of the scope is refused with the same message as a session that does not
   exist.
3. All servers must read a path in the same way: with a scope, a path may have no encoded ASCII
   character but a space, no empty segment and no dot segment.
4. If a request names no folder, weir adds the folder that it has checked, so that an upstream
   cannot choose another folder.
5. A symbolic link in a folder of the scope may lead out of it. So a folder has to be in the scope
   as it is spelt, and as its server resolves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, unquote

from gateway.access.rules import Found, Place, is_plain
from gateway.access.whereabouts import Whereabouts
from gateway.directory import LONGEST, MOST_PARTS, tidy
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import values
from gateway.relay.scope import Scope

_DIRECTORY, _HEADER = "directory", b"x-opencode-directory"
_LOCATION = "location"
_NOT_SCOPED = {"workspace", "scope", "path"}
_NOT_SCOPED_HEADER = b"x-opencode-workspace"
_SHOWN = 200
_ENCODED_SLASH = "%2F"


class Boundary:
    """Checks requests of principals with a scope.

    Args:
        whereabouts: finds the folders of sessions.
        default_folder: returns the server's own folder, which requests without a folder use;
            returns None while this folder is not known.
        resolve: returns a folder without symbolic links, as its server finds it. Its exceptions
            pass through.
    """

    def __init__(
        self,
        whereabouts: Whereabouts,
        default_folder: Callable[[], str | None],
        resolve: Callable[[str], str],
    ) -> None:
        self._whereabouts = whereabouts
        self._default_folder = default_folder
        self._resolve = resolve

    def check(self, request: Request, found: Found, scope: Scope) -> None:
        """Refuse a request that may reach a folder or session outside of a scope.

        Raises:
            Refusal: the request may leave the scope (403), or the server that knows the folder of
                the session does not answer (503).
        """
        place = found.rule.place
        if place in (Place.PUBLIC, Place.NOWHERE, Place.ITEMS):
            return
        if place is Place.SERVER:
            raise _not_granted(f"{request.method} {request.path[:_SHOWN]}")
        if not is_plain(request.path) or b"#" in request.target:
            raise _not_granted(f"the spelling of the path {request.path[:_SHOWN]!r}")
        if len(values(request.headers, _HEADER)) > 1:
            raise _not_granted("x-opencode-directory, which the request has more than once,")
        named = list(_folders(request))
        if place is Place.STREAM:
            self._check_stream(named, scope)
            return
        _check_elsewhere(request, place is Place.FILE)
        located = _located(request)
        _check_named(located, scope, None)
        self._check_links(located, scope, None)
        if place is Place.LOCATION:
            _check_named(named, scope, None)
            self._check_links(named, scope, None)
            # These routes ignore ?directory=.
            has_header = any(values(request.headers, _HEADER))
            self._check_folder(request, scope, bool(located) or has_header)
        elif place in (Place.NAMED, Place.SEARCH):
            self._check_query(request, named, scope, place is Place.SEARCH)
        elif place is Place.EVERYWHERE:
            _check_named(named, scope, None)
            self._check_links(named, scope, None)
        elif place in (Place.FOLDER, Place.FILE, Place.LIST):
            _check_named(named, scope, None)
            self._check_links(named, scope, None)
            self._check_folder(request, scope, bool(named))
        else:
            folder = self._folder_of_session(request, found, scope)
            _check_named(named, scope, folder)
            self._check_links(named, scope, folder)
            if not named:
                _name_folder(request, folder)

    def check_session(self, session: str, scope: Scope | None) -> None:
        """Refuse a session that does not exist, or is not in a scope.

        Raises:
            Refusal: the session does not exist, or is not in the scope; with a scope, the answer
                is the same for both, so that it does not show which sessions exist.
        """
        folder = self._whereabouts.folder(session)
        if scope is not None and (folder is None or not scope.has(folder, session)):
            raise _not_granted(f"the session {session[:_SHOWN]!r}")
        if folder is None:
            raise Refusal(404, f"there is no session {session[:_SHOWN]!r}")

    def session_in(self, found: Found) -> str | None:
        """Return the session that a path names, or whose permission or question a path names.

        Returns None if the path names no session, or two, or if the request waits no more.
        """
        session = found.params.get("session")
        if "request" not in found.params:
            return session
        of_ask = self._whereabouts.session_of_ask(found.params["request"])
        return of_ask if session in (None, of_ask) else None

    def has(self, session: str, scope: Scope | None) -> bool:
        """Return whether a session is in a scope; the scope None contains all sessions."""
        if scope is None or session in scope.sessions:
            return True
        return scope.has_folder(self._whereabouts.folder(session))

    def _check_stream(self, named: list[str], scope: Scope) -> None:
        """Refuse a stream of a folder outside of the scope, which would have no event.

        The scope filters each event of a stream, so a server that does not say where a link leads
        does not keep the stream from being opened. With sessions in the scope, any folder may be
        named.
        """
        if scope.sessions:
            return
        _check_named(named, scope, None)
        try:
            self._check_links(named, scope, None)
        except Refusal as refusal:
            if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise

    def _check_query(
        self, request: Request, named: list[str], scope: Scope, may_name_session: bool
    ) -> None:
        """Refuse a request for items of all folders, which does not name its folder or session.

        The processor limits the items and makes the cursor, so it has to know the session or the
        folder: other items would show in how many items there are.
        """
        query = parse_qsl(request.query, keep_blank_values=True)
        sessions = [value for name, value in query if name == "session"]
        folders = [value for name, value in query if name == _DIRECTORY]
        folder = None
        if may_name_session and len(sessions) == 1 and sessions[0]:
            self.check_session(sessions[0], scope)
            folder = self._whereabouts.folder(sessions[0])
        elif len(folders) != 1 or not folders[0]:
            wanted = "?session= or ?directory=" if may_name_session else "?directory="
            raise Refusal(403, f"name one thing in the grants of this token with {wanted}")
        _check_named(named, scope, folder)
        self._check_links(named, scope, folder)

    def _check_links(self, named: list[str], scope: Scope, folder: str | None) -> None:
        """Refuse folders that symbolic links lead out of the scope."""
        for one in dict.fromkeys(named):
            if one != folder and not scope.has_folder(self._resolve(one)):
                raise _not_granted(f"the folder {one[:_SHOWN]!r}")

    def _check_folder(self, request: Request, scope: Scope, named: bool) -> None:
        if named:
            return
        folder = self._default_folder()
        if folder is None or not scope.has_folder(folder):
            raise _not_granted("the server's own folder (name another one with ?directory=)")
        _name_folder(request, folder)

    def _folder_of_session(self, request: Request, found: Found, scope: Scope) -> str:
        """Return the folder of the session in a path; a refusal must not show if it exists."""
        session = self.session_in(found)
        folder = self._whereabouts.folder(session) if session else None
        if folder is None or not scope.has(folder, session):
            raise _not_granted(f"{request.method} {request.path[:_SHOWN]}")
        return folder


def _check_elsewhere(request: Request, is_file: bool) -> None:
    """Refuse parameters with which opencode would use another folder, or list several folders."""
    if values(request.headers, _NOT_SCOPED_HEADER):
        raise _not_granted("x-opencode-workspace")
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if is_file and name == "path":
            _check_file(value)
        elif name in _NOT_SCOPED and value:
            raise _not_granted(f"?{name}")


def _located(request: Request) -> list[str]:
    """Return each reading of the folder in ``?location[directory]=``; empty without it.

    Raises:
        Refusal: it is there twice, or the location is named in another way.
    """
    located: list[str] = []
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name.startswith(_LOCATION):
            if name != f"{_LOCATION}[{_DIRECTORY}]" or located or not value:
                raise _not_granted(f"?{name[:_SHOWN]}")
            located = list(_readings(value))
    return located


def _check_file(path: str) -> None:
    """Refuse a file's path if a server may read it as a path outside of the folder."""
    while True:
        parts = path.replace("\\", "/").split("/")
        if path.startswith(("/", "\\", "~")) or ".." in parts or not path.isprintable():
            raise _not_granted(f"?path={path[:_SHOWN]!r}")
        decoded = unquote(path)
        if decoded == path:
            return
        path = decoded


def _check_named(named: list[str], scope: Scope, folder: str | None) -> None:
    """Refuse folders outside of the scope; `folder`, of a session in the scope, is allowed."""
    for one in named:
        is_long = len(one.encode()) > LONGEST or one.count("/") > MOST_PARTS
        if is_long or (not scope.has_folder(one) and one != folder):
            raise _not_granted(f"the folder {one[:_SHOWN]!r}")


def _not_granted(what: str) -> Refusal:
    return Refusal(403, f"{what} is not in the grants of this token")


def _folders(request: Request) -> Iterator[str]:
    """Yield each possible reading of each folder in a request's query and headers (rule 1)."""
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name == _DIRECTORY and value:
            yield from _readings(value)
    for header in values(request.headers, _HEADER):
        if header:
            yield from _readings(header.decode("utf-8", "replace"))


def _readings(spelt: str) -> Iterator[str]:
    """Yield the possible readings of a folder: unchanged, decoded once, and decoded twice.

    A relative path yields an empty text, which no scope contains. If the first slash is encoded,
    as clients send it in the header, servers always decode, so the unchanged text is not yielded.
    """
    for _ in range(3):
        if spelt[:3].upper() != _ENCODED_SLASH:
            yield tidy(spelt) if spelt.startswith("/") else ""
        decoded = unquote(spelt)
        if decoded == spelt:
            return
        spelt = decoded


def _name_folder(request: Request, folder: str) -> None:
    request.headers = [one for one in request.headers if one[0].lower() != _HEADER]
    request.headers.append((_HEADER, quote(folder).encode()))
