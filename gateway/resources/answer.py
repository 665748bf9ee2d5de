"""Sends a processor's answer to the client, byte for byte."""

from __future__ import annotations

import falcon


def answer(resp: falcon.Response, body: bytes) -> None:
    """Answer with `body`, which is JSON already."""
    resp.content_type = falcon.MEDIA_JSON
    resp.data = body
