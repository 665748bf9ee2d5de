"""The JSON-RPC connection to the editor: requests in both directions, matched to their answers.

A handler runs at once in the thread that reads: it checks its parameters, and its effects are in
the order of the lines. The rest of the work, a `Job`, runs in a thread of its own. So a
``session/cancel`` finds the prompt that was sent before it.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from acp_client.editor.outlet import EditorOutlet
from acp_client.protocol import jsonrpc
from acp_client.protocol.jsonrpc import Id, Invalid, Notification, Response, RpcError, RpcRequest
from acp_client.protocol.lines import LineTooLong

log = logging.getLogger("weir.acp")


class Result(Struct):
    """The answer to a request; `after` is called once the answer is queued."""

    value: Any
    after: Callable[[], None] | None = None


class Job(Struct):
    """The rest of the work on a request.

    Attributes:
        run: does the work, in a thread of its own.
        give_up: makes `run` end when the editor cancels the request; None: `run` continues, and
            its result is dropped.
        answered: called once the answer, or an error, is queued.
    """

    run: Callable[[], Result]
    give_up: Callable[[], None] | None = None
    answered: Callable[[], None] | None = None


Handler = Callable[[Raw], Job | Result]


class Ask:
    """A request of the agent to the editor."""

    def __init__(self, id: int, send: Callable[[bytes], None]) -> None:
        self.id = id
        self._send = send
        self._settled = threading.Event()
        self._answer: Response | None = None

    def wait(self) -> Any:
        """Return the result, None if the request was withdrawn.

        Raises:
            RpcError: the editor answered with an error.
        """
        self._settled.wait()
        if self._answer is None:
            return None
        if self._answer.error is not None:
            raise self._answer.error
        try:
            return msgspec.json.decode(self._answer.result)
        except msgspec.DecodeError as error:
            raise RpcError(jsonrpc.INTERNAL_ERROR, f"the answer cannot be read: {error}") from None

    def withdraw(self) -> None:
        """Cancel the request: its answer is no longer needed."""
        if not self._settled.is_set():
            self._settled.set()
            self._send(jsonrpc.notification("$/cancel_request", {"requestId": self.id}))

    def settle(self, answer: Response) -> None:
        """Set the editor's answer; only the first counts."""
        if not self._settled.is_set():
            self._answer = answer
            self._settled.set()


class Peer:
    """Handles the lines from the editor.

    Args:
        outlet: sends answers and requests.
        requests: the handler of each method.
        notifications: the handler of each method that gets no answer.
    """

    def __init__(
        self,
        outlet: EditorOutlet,
        requests: dict[str, Handler],
        notifications: dict[str, Callable[[Raw], None]],
    ) -> None:
        self._outlet = outlet
        self._requests = requests
        self._notifications = notifications
        self._ids = itertools.count(1)
        self._asks: dict[Id, Ask] = {}
        self._running: dict[Id, Callable[[], None] | None] = {}
        self._lock = threading.Lock()

    def ask(self, method: str, params: Any) -> Ask:
        """Send the editor a request."""
        ask = Ask(next(self._ids), self._outlet.send)
        with self._lock:
            self._asks[ask.id] = ask
        self._outlet.send(jsonrpc.request(ask.id, method, params))
        return ask

    def take(self, line: bytes | LineTooLong) -> None:
        """Handle a line from the editor; raises no error."""
        if isinstance(line, LineTooLong):
            problem = RpcError(jsonrpc.PARSE_ERROR, str(line))
            self._outlet.send(jsonrpc.error(None, problem))
            return
        message = jsonrpc.parse(line)
        if isinstance(message, RpcRequest):
            self._request(message)
        elif isinstance(message, Notification):
            self._notification(message)
        elif isinstance(message, Response):
            self._response(message)
        elif isinstance(message, Invalid):
            self._outlet.send(jsonrpc.error(message.id, message.error))

    def cancel(self, id: Id) -> None:
        """Give up a request of the editor, if it still runs."""
        with self._lock:
            give_up = self._running.get(id)
        if give_up is not None:
            give_up()
        else:
            self._answer(id, jsonrpc.error, RpcError(jsonrpc.CANCELLED, "cancelled"))

    def _request(self, request: RpcRequest) -> None:
        handler = self._requests.get(request.method) or self._as_request(request.method)
        with self._lock:
            self._running[request.id] = None
        if handler is None:
            unknown = RpcError(jsonrpc.METHOD_NOT_FOUND, f"{request.method}: no such method")
            self._answer(request.id, jsonrpc.error, unknown)
            return
        found = self._guarded(request, lambda: handler(request.params))
        if isinstance(found, Job):
            with self._lock:
                self._running[request.id] = found.give_up
            threading.Thread(target=self._work, args=(request, found), daemon=True).start()
        elif isinstance(found, Result):
            self._done(request, found)

    def _as_request(self, method: str) -> Handler | None:
        """Return the handler of a notification that has an id: the editor wants an answer."""
        handler = self._notifications.get(method)
        if handler is None:
            return None

        def run(params: Raw) -> Result:
            handler(params)
            return Result({})

        return run

    def _work(self, request: RpcRequest, job: Job) -> None:
        found = self._guarded(request, job.run)
        if isinstance(found, Result):
            self._done(request, found)
        if job.answered is not None:
            job.answered()

    def _done(self, request: RpcRequest, found: Result) -> None:
        self._answer(request.id, jsonrpc.result, found.value)
        if found.after is not None:
            self._guarded(request, found.after)

    def _guarded(self, request: RpcRequest, run: Callable[[], Any]) -> Any:
        try:
            return run()
        except RpcError as error:
            problem = error
        except Exception as error:
            log.exception("%s failed", request.method)
            problem = RpcError(jsonrpc.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        self._answer(request.id, jsonrpc.error, problem)
        return None

    def _answer(self, id: Id, line: Callable[[Id, Any], bytes], value: Any) -> None:
        """Answer a request, unless it has been answered."""
        with self._lock:
            if id not in self._running:
                return
            del self._running[id]
        self._outlet.send(line(id, value))

    def _notification(self, notification: Notification) -> None:
        handler = self._notifications.get(notification.method)
        if handler is None:
            return
        try:
            handler(notification.params)
        except RpcError as error:
            log.warning("%s: %s", notification.method, error.message)
        except Exception:
            log.exception("%s failed", notification.method)

    def _response(self, answer: Response) -> None:
        with self._lock:
            ask = self._asks.pop(answer.id, None)
        if ask is None:
            log.warning("the editor has answered an unknown request: %r", answer.id)
        else:
            ask.settle(answer)
