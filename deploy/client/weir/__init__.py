"""The client package for agents: publish what an agent does to the event streams of weir.

weir delivers each published event to its readers in order, and once::

    import weir

    with weir.connect("http://127.0.0.1:4097") as w:
        with w.session(directory=".", title="nightly").turn("do it") as t:
            t.text("Hello ")

`connect` is for a program that decides by itself when a turn begins; `serve` is for a program that
answers the prompts that people send to weir. `docs/publishing.md` describes the HTTP protocol.
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
