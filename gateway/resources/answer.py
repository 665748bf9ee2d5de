"""Sends a processor's answer to the client, byte for byte."""

from __future__ import annotations

import falcon


def answer(resp: falcon.Response, body: bytes) -> None:
    """Send `body`, which is already JSON, as the answer."""
    resp.content_type = falcon.MEDIA_JSON
    resp.data = body
