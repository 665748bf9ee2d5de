"""A requester that answers from a script, and the native application in front of it."""

from collections import deque

import falcon
import msgspec
from falcon.testing import TestClient

from bus.answers import Done
from bus.commands import NumberedCommand
from gateway.cors import Cors
from gateway.errors import install_error_handlers
from gateway.resources import add_native_routes
from gateway.router import Router
from gateway.unknown_routes import UnknownRoutes

DEFAULT_DIRECTORY = "/srv/default"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(NumberedCommand).decode


class ScriptedRequester:
    """Answers each call with the next of `answers`, and with an empty object after the last.

    An answer is a JSON body, a (body, cursor) pair, a (body, cursor, token of the next piece)
    triple, or an exception to raise. Every command
    makes the trip over the wire format, so one that could not be sent fails here too.
    """

    def __init__(self, *answers):
        self.answers = deque(answers)
        self.commands = []
        self.deadlines = []

    def call(self, command, deadline_s=None):
        sent = _decode(_encode(NumberedCommand(1, command))).command
        assert sent == command
        self.commands.append(command)
        self.deadlines.append(deadline_s)
        answer = self.answers.popleft() if self.answers else b"{}"
        if isinstance(answer, Exception):
            raise answer
        return Done(1, *(answer if isinstance(answer, tuple) else (answer, None)))


def native_app(requester, origins=(), unknown=None):
    app = falcon.App(middleware=[Cors(origins)], router=Router())
    install_error_handlers(app, unknown or UnknownRoutes())
    add_native_routes(app, requester, DEFAULT_DIRECTORY)
    return app


def native(*answers, unknown=None):
    """A client of the native surface, and the requester that answers it."""
    requester = ScriptedRequester(*answers)
    return TestClient(native_app(requester, unknown=unknown)), requester
