"""The path under which weir serves all its routes (``--base-path``). No I/O.

1. The path of a request must begin with the base path, byte for byte. The base path is removed,
   and the request is handled, by weir or by the upstream, as if weir were at the root.
2. The routes that load balancers probe also work without the base path.
3. Any other request gets 404; the error names the base path.
"""

from __future__ import annotations

import re

from msgspec import Struct

from bus.process.flags import Kind
from gateway.own_routes import LIVEZ, READYZ, own_route
from gateway.proxy.failures import Refusal

_ALLOWED = "/NAME[/NAME...] of letters, digits and . _ ~ -; / for no path"
_SEGMENTS = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_SHOWN = 200


class BasePath(Struct, frozen=True):
    """A base path without a slash at its end; empty if weir is at the root."""

    path: str = ""

    @classmethod
    def parse(cls, text: str) -> BasePath:
        """Parse the value of ``--base-path``.

        Raises:
            ValueError: the text is not a path, or has a character that URLs may also encode as
                ``%XX``, so that a comparison byte for byte could fail.
        """
        path = text.rstrip("/")
        if not text.startswith("/") or not _SEGMENTS.fullmatch(path):
            raise ValueError
        return cls(path)

    def __str__(self) -> str:
        return self.path or "/"

    def inside(self, target: bytes) -> bytes:
        """Return a request's target without the base path.

        Raises:
            Refusal: the target is not under the base path.
        """
        if not self.path or not target.startswith(b"/"):
            return target
        base, path = self.path.encode(), target.partition(b"?")[0]
        if own_route(path.decode("latin-1")) in (LIVEZ, READYZ):
            return target
        if path == base:
            return b"/" + target[len(base) :]
        if path.startswith(base + b"/"):
            return target[len(base) :]
        shown = path[:_SHOWN].decode("latin-1")
        raise Refusal(
            404, f"{shown!r} is not served here: all paths of this weir are under {self.path}"
        )


AT_ROOT = BasePath()
BASE_PATH = Kind(BasePath.parse, _ALLOWED)
