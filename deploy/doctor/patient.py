"""The server under examination: a connection for each request, and the times of its steps."""

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


class PatientAnswer(Struct):
    """A response whose head has come.

    Attributes:
        head_s: from the first byte of the connection to the end of the head.
    """

    status: int
    headers: http.client.HTTPMessage
    head_s: float
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection

    @property
    def kind(self) -> str:
        """Media type of the body."""
        return self.headers.get_content_type()

    def json(self) -> dict[str, Any]:
        """Read the body, and return the JSON object in it; empty if it is anything else."""
        try:
            said = json.decode(self.response.read(_MOST_BYTES))
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def wait_for_ever(self) -> None:
        """Remove the time limit for reading the body."""
        if self.connection.sock is not None:
            self.connection.sock.settimeout(None)

    def hang_up(self) -> None:
        """Shut the connection down; a thread that reads from it gets the end."""
        if self.connection.sock is not None:
            with contextlib.suppress(OSError):
                self.connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the connection."""
        self.response.close()
        self.connection.close()


class Patient(Struct, frozen=True):
    """The server.

    Attributes:
        origin: its address, and the login to send.
        timeout_s: how long it may take to connect, and to answer.
    """

    origin: Origin
    timeout_s: float

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, login: bool = True
    ) -> PatientAnswer:
        """Send a GET request.

        Args:
            path: of the route, with its query.
            headers: to send.
            login: whether to send the login.

        Raises:
            OSError: there is no connection, or no answer in time.
            http.client.HTTPException: the answer is not HTTP.
        """
        given = {"Accept": "*/*", "Cache-Control": "no-cache", **(headers or {})}
        if login and self.origin.login is not None:
            given["Authorization"] = self.origin.login.basic
        connection = connection_to(self.origin, self.timeout_s)
        began = time.monotonic()
        try:
            connection.connect()
            held = connection.sock  # else only the response has it, if it is the last
            with within(held, self.timeout_s):
                connection.request("GET", self.origin.target(path), headers=given)
                response = connection.getresponse()
        except CLIENT_ERRORS:
            connection.close()
            raise
        connection.sock = connection.sock or held
        return PatientAnswer(
            response.status, response.headers, time.monotonic() - began, response, connection
        )

    def json(self, path: str, login: bool = True) -> tuple[PatientAnswer, dict[str, Any]]:
        """Send a GET request, and return the answer's JSON object; raises the errors of `get`."""
        answer = self.get(path, login=login)
        try:
            with within(answer.connection.sock, self.timeout_s):
                return answer, answer.json()
        finally:
            answer.close()

    def announce(self, path: str, size: int) -> int:
        """Announce a body of `size` bytes, and send none of it; return the status.

        Status 100 means that the body may be sent. Raises the errors of `get`.
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
        """Return the protocol that TLS chooses from those of a browser; raises `OSError`."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        address = (self.origin.host, self.origin.port)
        with (
            socket.create_connection(address, self.timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=self.origin.host) as secure,
        ):
            return secure.selected_alpn_protocol()

    def speaks_tls(self) -> bool:
        """Return whether the port speaks TLS, trusted or not."""
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
