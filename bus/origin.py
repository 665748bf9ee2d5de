"""Where the upstream is, and the login it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct, structs

from bus.flags import BadFlag, Kind
from bus.login import Login

PASSWORD_VARIABLE, USERNAME_VARIABLE = "OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME"
_DEFAULT_USERNAME = "opencode"
_PORTS = {"http": 80, "https": 443}
_ALLOWED = "http://HOST[:PORT] or https://HOST[:PORT], with USER:PASSWORD@ where it needs them"


class Origin(Struct, frozen=True):
    """A server's scheme, host and port, and the login it asks for.

    Attributes:
        host: a name or an address, without brackets.
        login: None where it is open to everybody.
    """

    scheme: str
    host: str
    port: int
    login: Login | None = None

    @property
    def authority(self) -> str:
        """What a ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read a URL.

        Raises:
            BadFlag: it is not the URL of a server; the message does not repeat it, since there
                may be a password in it.
        """
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError as error:
            raise BadFlag(f"{error}; allowed is {_ALLOWED}") from None
        if not text.isprintable() or " " in text or url.scheme not in _PORTS or not url.hostname:
            raise BadFlag(f"not the URL of a server; allowed is {_ALLOWED}")
        if url.path not in ("", "/") or url.query or url.fragment:
            raise BadFlag(f"it has a path, which is for clients to say; allowed is {_ALLOWED}")
        if port == 0:
            raise BadFlag(f"port 0 is nobody's; allowed is {_ALLOWED}")
        return cls(url.scheme, url.hostname, port or _PORTS[url.scheme], _login(url))


UPSTREAM = Kind(Origin.parse, _ALLOWED)


def with_login(upstream: Origin | None, environ: Mapping[str, str]) -> Origin | None:
    """Give an upstream without a login the one that opencode's own variables hold."""
    password = environ.get(PASSWORD_VARIABLE)
    if upstream is None or upstream.login is not None or not password:
        return upstream
    login = Login(environ.get(USERNAME_VARIABLE) or _DEFAULT_USERNAME, password)
    return structs.replace(upstream, login=login)


def _login(url: SplitResult) -> Login | None:
    if url.username is None:
        return None
    if not url.username or not url.password:
        raise BadFlag(f"it has a name or a password but not both; allowed is {_ALLOWED}")
    return Login(unquote(url.username), unquote(url.password))
