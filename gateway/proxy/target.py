"""Request targets: which are weir's own, and what the upstream gets to see of the others.

Two readings of one path must not lead past the event streams: an upstream that resolves
``/x/../event`` or ``/%65vent`` would open one of its own, with a queue that nothing bounds. So
whatever *could* be read as one of weir's routes is weir's. All other targets pass byte for byte.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from gateway.proxy.failures import Refusal

_OWN = frozenset({"/event", "/global/event", "/global/health", "/metrics", "/weir"})
_OWN_BELOW = "/weir/"


def own_route(path: str) -> str | None:
    """The route of weir's that `path` leads to, in its plain spelling; None if it is no such.

    Args:
        path: of a request, as it came: percent-encoded, without the query.
    """
    plain = resolved(unquote(path, "latin-1")).lower()
    return plain if plain in _OWN or plain.startswith(_OWN_BELOW) else None


def resolved(path: str) -> str:
    """Return a decoded path as browsers read it: no ``.``, ``..``, backslash or needless slash."""
    return "/" + posixpath.normpath("/" + path.replace("\\", "/")).lstrip("/")


def below(folder: str, target: bytes) -> bytes:
    """Return the target of an upstream that a proxy keeps under a folder.

    Raises:
        Refusal: the target leads out of the folder, to what the upstream's proxy serves besides.
    """
    if not folder or not target.startswith(b"/"):
        return target
    path = unquote(target.partition(b"?")[0].decode("latin-1"), "latin-1").replace("\\", "/")
    if ".." in path.split("/"):
        raise Refusal(
            400, f"the path has '..', which is not allowed since the upstream is under {folder}"
        )
    return folder.encode() + target
