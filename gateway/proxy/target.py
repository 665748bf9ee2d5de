"""Request targets for the upstream: the client's target is passed on byte for byte."""

from __future__ import annotations

from urllib.parse import unquote

from gateway.proxy.failures import Refusal


def below(folder: str, target: bytes) -> bytes:
    """Return the target for an upstream whose URL has the path `folder`.

    Raises:
        Refusal: the target has ``..``, and could reach paths outside of `folder` (400).
    """
    if not folder or not target.startswith(b"/"):
        return target
    path = unquote(target.partition(b"?")[0].decode("latin-1"), "latin-1").replace("\\", "/")
    if ".." in path.split("/"):
        raise Refusal(
            400, f"the path has '..', which is not allowed since the upstream is under {folder}"
        )
    return folder.encode() + target
