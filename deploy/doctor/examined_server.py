"""Sends the requests of `weir doctor`, each on a new connection, and measures the answer's delay.

A new connection for each request lets each check see what a new client sees.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from acp_client.api.connection import connection_to, within
from bus import json
from bus.origin import Origin

CLIENT_ERRORS = (OSError, http.client.HTTPException)
_MOST_BYTES = 1024 * 1024
_LONGEST_STATUS_LINE = 4096


class ExaminedAnswer(Struct):
    """A response whose status and headers have arrived; its body may still arrive.

    Attributes:
        status: the HTTP status.
        headers: the headers.
        head_s: the seconds from the begin of the connection to the end of the headers.
        response: reads the body.
        connection: the connection, which carries this response only.
    """

    status: int
    headers: http.client.HTTPMessage
    head_s: float
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection

    @property
    def kind(self) -> str:
        """The media type of the body, for example ``text/event-stream``."""
        return self.headers.get_content_type()

    def json(self) -> dict[str, Any]:
        """Read the body, and return its JSON object; empty if the body is no JSON object."""
        try:
            said = json.decode(self.response.read(_MOST_BYTES))
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def wait_for_ever(self) -> None:
        """Remove the timeout for reading the body, because an event stream may be silent."""
        if self.connection.sock is not None:
            self.connection.sock.settimeout(None)

    def hang_up(self) -> None:
        """Shut the connection down, so that a thread that waits for the body is woken."""
        if self.connection.sock is not None:
            with contextlib.suppress(OSError):
                self.connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the response and the connection."""
        self.response.close()
        self.connection.close()


class ExaminedServer(Struct, frozen=True):
    """The server that doctor examines.

    Attributes:
        origin: the address of the server, and the login to send.
        timeout_s: how long to wait for a connection, and then for an answer.
    """

    origin: Origin
    timeout_s: float

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, login: bool = True
    ) -> ExaminedAnswer:
        """Send a GET request; return the answer as soon as its headers have arrived.

        Args:
            path: the path of the route, with its query.
            headers: headers to send in addition.
            login: whether to send the login.

        Raises:
            OSError: the server cannot be reached, or does not answer within `timeout_s`.
            http.client.HTTPException: the server's answer is not HTTP.
        """
        given = {"Accept": "*/*", "Cache-Control": "no-cache", **(headers or {})}
        if login and self.origin.login is not None:
            given["Authorization"] = self.origin.login.basic
        connection = connection_to(self.origin, self.timeout_s)
        began = time.monotonic()
        try:
            connection.connect()
            # If the answer says `Connection: close`, `http.client` drops its reference to the
            # socket. The reference is kept, because timeouts are set and cut through the socket.
            held = connection.sock
            with within(held, self.timeout_s):
                connection.request("GET", self.origin.target(path), headers=given)
                response = connection.getresponse()
        except CLIENT_ERRORS:
            connection.close()
            raise
        connection.sock = connection.sock or held
        return ExaminedAnswer(
            response.status, response.headers, time.monotonic() - began, response, connection
        )

    def json(self, path: str, login: bool = True) -> tuple[ExaminedAnswer, dict[str, Any]]:
        """Send a GET request, and return the answer with the JSON object in its body.

        The object is empty if the body is no JSON object. Raises the errors of `get`.
        """
        answer = self.get(path, login=login)
        try:
            with within(answer.connection.sock, self.timeout_s):
                return answer, answer.json()
        finally:
            answer.close()

    def announce(self, path: str, size: int) -> int:
        """Send the headers of a POST request with a body of `size` bytes; return the status.

        The body is not sent (`Expect: 100-continue`): status 100 means that the server would take
        the body. Raises the errors of `get`.
        """
        headers = {"Expect": "100-continue", "Content-Length": str(size), "Connection": "close"}
        connection = connection_to(self.origin, self.timeout_s)
        try:
            connection.connect()
            with within(connection.sock, self.timeout_s):
                connection.request("POST", self.origin.target(path), headers=headers)
                with connection.sock.makefile("rb") as answer:
                    words = answer.readline(_LONGEST_STATUS_LINE).split(b" ")
        finally:
            connection.close()
        if len(words) < 2 or not words[1][:3].isdigit():
            raise http.client.BadStatusLine(repr(words))
        return int(words[1][:3])

    def protocol(self) -> str | None:
        """Offer HTTP/2 and HTTP/1.1 in a TLS handshake, as a browser does; return the choice.

        Raises:
            OSError: the TLS handshake has failed.
        """
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        address = (self.origin.host, self.origin.port)
        with (
            socket.create_connection(address, self.timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=self.origin.host) as secure,
        ):
            return secure.selected_alpn_protocol()

    def speaks_tls(self) -> bool:
        """Return whether the server's port expects TLS, even if its certificate is not trusted."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        address = (self.origin.host, self.origin.port)
        try:
            with (
                socket.create_connection(address, self.timeout_s) as plain,
                context.wrap_socket(plain, server_hostname=self.origin.host),
            ):
                return True
        except OSError:
            return False
