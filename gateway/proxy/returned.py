"""References to the upstream's own paths in the headers of its answers. No I/O.

If weir serves under another path than the upstream, clients cannot use a path of the upstream.
Each such path is replaced by weir's path for the same resource:

1. ``Location``, ``Content-Location``, targets of ``Link``: a path, or a URL of the upstream.
   Unchanged are relative references, URLs of other servers, and paths outside of the upstream's
   folder.
2. The ``Path`` of cookies. A cookie with the prefix ``__Host-`` has to keep ``Path=/``.

Bodies are unchanged: for pages with absolute paths, weir needs a host name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bus.origin import Origin
from gateway.proxy.headers import Header

_REFERENCES = frozenset({b"location", b"content-location"})
_TARGET = re.compile(rb"<([^>]*)>")
_COOKIE_PATH = re.compile(rb"(;\s*path\s*=\s*)([^;]*)", re.IGNORECASE)
_KEEPS_PATH = b"__host-"


class ReturnedPaths:
    """Replaces paths of the upstream by weir's paths.

    Args:
        upstream: the server that sends the answers.
        base: the path under which weir itself is served; empty for ``/``.
    """

    def __init__(self, upstream: Origin, base: str) -> None:
        self._folder = upstream.path.encode()
        self._base = base.encode()
        self._origin = f"{upstream.scheme}://{upstream.authority}".encode()

    def __call__(self, headers: Iterable[Header]) -> list[Header]:
        """Return the headers of an answer, with weir's paths in place of the upstream's."""
        if self._folder == self._base:
            return list(headers)
        return [(name, self._value(name.lower(), value)) for name, value in headers]

    def _value(self, name: bytes, value: bytes) -> bytes:
        if name in _REFERENCES:
            return self._reference(value)
        if name == b"link":
            return _TARGET.sub(lambda found: b"<%b>" % self._reference(found[1]), value)
        if name == b"set-cookie" and not value.lower().startswith(_KEEPS_PATH):
            return _COOKIE_PATH.sub(lambda found: found[1] + self._cookie_path(found[2]), value)
        return value

    def _reference(self, value: bytes) -> bytes:
        path = value
        if value.lower().startswith(self._origin):
            path = value[len(self._origin) :] or b"/"
        if not path.startswith(b"/") or path.startswith(b"//"):
            return value
        moved = self._moved(path)
        return value if moved is None else moved

    def _moved(self, path: bytes) -> bytes | None:
        """Return weir's path for a path of the upstream; None outside of the upstream's folder."""
        if not path.startswith(self._folder):
            return None
        rest = path[len(self._folder) :]
        return self._base + (rest or b"/") if rest[:1] in (b"", b"/", b"?", b"#") else None

    def _cookie_path(self, path: bytes) -> bytes:
        path = path.strip()
        if path.rstrip(b"/") in (b"", self._folder):
            return self._base or b"/"
        return self._moved(path) or path
