"""The address of a server, and the login that the server requires."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct, structs

from bus.process.flags import BadFlag, Kind
from bus.process.login import Login

PASSWORD_VARIABLE, USERNAME_VARIABLE = "OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME"
TOKEN_VARIABLE = "WEIR_TOKEN"
_DEFAULT_USERNAME = "opencode"
_PORTS = {"http": 80, "https": 443}
_ALLOWED = "http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]"
_NAME = re.compile(r"[a-z0-9._-]+")
_IN_A_PATH = "/%:@!$&'()*+,;=~"


class Origin(Struct, frozen=True):
    """A server's scheme, host, port and path, and the login that the server requires.

    Attributes:
        host: an ASCII name or an address, without brackets.
        login: None if the server requires none.
        path: the prefix of all routes if a proxy serves the server below a folder: ``/weir-app``,
            without a slash at the end; empty at the root.
    """

    scheme: str
    host: str
    port: int
    login: Login | None = None
    path: str = ""

    @property
    def authority(self) -> str:
        """The value of a ``Host`` header."""
        return self._at(self.host.partition("%")[0])  # a zone (%eth0) is of no use elsewhere

    @property
    def is_local(self) -> bool:
        """Return whether the server is on this machine, judging by its name."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    def target(self, route: str) -> str:
        """Return the request target for a route; the route may have a query."""
        return self.path + route

    def __str__(self) -> str:
        return f"{self.scheme}://{self._at(self.host)}{self.path}"

    def _at(self, host: str) -> str:
        host = f"[{host}]" if ":" in host else host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Parse a URL.

        Raises:
            BadFlag: the text is not the URL of a server; the message does not repeat the text,
                which may contain a password.
        """
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:  # the error's message may contain part of a password
            words = "the host or the port is not valid; in a password, / ? # are %2F %3F %23"
            raise BadFlag(f"{words}; allowed is {_ALLOWED}") from None
        if not text.isprintable() or " " in text or url.scheme not in _PORTS or not url.hostname:
            raise BadFlag(f"not the URL of a server; allowed is {_ALLOWED}")
        if "?" in text or "#" in text:
            end = "a query, from '?' on," if "?" in text else "a fragment, from '#' on,"
            raise BadFlag(f"it has {end} which is not allowed; allowed is {_ALLOWED}")
        if port == 0:
            raise BadFlag(f"port 0 is not allowed; allowed is {_ALLOWED}")
        path = quote(url.path.rstrip("/"), safe=_IN_A_PATH)
        return cls(url.scheme, _host(url), port or _PORTS[url.scheme], _login(url), path)


UPSTREAM = Kind(Origin.parse, _ALLOWED)


def with_login(upstream: Origin | None, environ: Mapping[str, str]) -> Origin | None:
    """Add the login from opencode's own environment variables to an upstream that has none."""
    login = login_from(environ)
    if upstream is None or upstream.login is not None or login is None:
        return upstream
    return structs.replace(upstream, login=login)


def with_client_login(server: Origin, environ: Mapping[str, str]) -> Origin:
    """Add the token or the login from the environment to a server whose URL has no login."""
    token = environ.get(TOKEN_VARIABLE)
    if server.login is None and token:
        return structs.replace(server, login=Login("token", token))
    return with_login(server, environ) or server


def login_from(environ: Mapping[str, str]) -> Login | None:
    """Return the login in opencode's own variables."""
    password = environ.get(PASSWORD_VARIABLE)
    if not password:
        return None
    return Login(environ.get(USERNAME_VARIABLE) or _DEFAULT_USERNAME, password)


def _host(url: SplitResult) -> str:
    host = (url.hostname or "").replace("%25", "%")
    try:
        if ":" in host:
            return str(ip_address(host))
        name = host.encode("idna").decode()
    except ValueError:
        name = ""
    if not _NAME.fullmatch(name):
        raise BadFlag(f"{host!r} is not the name of a host; allowed is {_ALLOWED}")
    return name


def _login(url: SplitResult) -> Login | None:
    if url.username is None:
        return None
    if not url.username or not url.password:
        raise BadFlag(f"it has a user name or a password, but not both; allowed is {_ALLOWED}")
    login = Login(unquote(url.username), unquote(url.password))
    if "\0" in login.username + login.password:
        raise BadFlag(f"it has a NUL in its login; allowed is {_ALLOWED}")
    return login
