"""Request targets for the upstream: all but weir's own pass byte for byte."""

from __future__ import annotations

from urllib.parse import unquote

from gateway.proxy.failures import Refusal


def below(folder: str, target: bytes) -> bytes:
    """Return the target for an upstream that a proxy serves under `folder`.

    Raises:
        Refusal: the target leads out of the folder, to other servers behind that proxy.
    """
    if not folder or not target.startswith(b"/"):
        return target
    path = unquote(target.partition(b"?")[0].decode("latin-1"), "latin-1").replace("\\", "/")
    if ".." in path.split("/"):
        raise Refusal(
            400, f"the path has '..', which is not allowed since the upstream is under {folder}"
        )
    return folder.encode() + target
