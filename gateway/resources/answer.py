"""How a processor's answer leaves: the bytes as they came."""

from __future__ import annotations

import falcon


def answer(resp: falcon.Response, body: bytes) -> None:
    """Make `body`, which is JSON already, the answer."""
    resp.content_type = falcon.MEDIA_JSON
    resp.data = body
