"""Publish from an agent loop of your own: weir delivers everything, in order, and once.

::

    import weir

    with weir.connect("http://127.0.0.1:4097") as w:
        with w.session(directory=".", title="nightly").turn("do it") as t:
            t.text("Hello ")

`connect` is for a program that runs turns of its own, `serve` for a program that answers prompts.
`docs/publishing.md` describes the protocol.
"""

from weir.client import Client, connect
from weir.errors import Aborted, Fenced, Refused, Unreachable, WeirError
from weir.serving import serve, serving
from weir.session import Session
from weir.tool_call import ToolCall
from weir.turn import Turn

__all__ = [
    "Aborted",
    "Client",
    "Fenced",
    "Refused",
    "Session",
    "ToolCall",
    "Turn",
    "Unreachable",
    "WeirError",
    "connect",
    "serve",
    "serving",
]
