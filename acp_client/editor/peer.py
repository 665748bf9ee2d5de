"""The JSON-RPC connection to the editor: requests in both directions, matched to their answers.

The handler of a method runs in the thread that reads lines, so that handlers run in the order of
the lines: a ``session/cancel`` always finds the prompt that was sent before it. A handler only
checks the parameters and notes the request; work that takes time is returned as a `Job`, which
runs in a thread of its own.
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
    """The answer to a request of the editor.

    Attributes:
        value: the `result` of the answer.
        after: called once the answer is queued, for messages that must follow it.
    """

    value: Any
    after: Callable[[], None] | None = None


class Job(Struct):
    """The part of a request that takes time, and that runs in a thread of its own.

    Attributes:
        run: does the work, and returns the answer.
        give_up: called when the editor cancels the request, to make `run` end soon. None: the
            editor gets an error at once, and the result of `run` is dropped.
        answered: called once the answer, or an error, is queued.
    """

    run: Callable[[], Result]
    give_up: Callable[[], None] | None = None
    answered: Callable[[], None] | None = None


Handler = Callable[[Raw], Job | Result]


class Ask:
    """A request of the agent to the editor, for example for a permission."""

    def __init__(self, id: int, send: Callable[[bytes], None]) -> None:
        self.id = id
        self._send = send
        self._settled = threading.Event()
        self._answer: Response | None = None

    def wait(self) -> Any:
        """Wait for the editor's answer, and return it; None if the request was withdrawn.

        Raises:
            RpcError: the editor has answered with an error.
        """
        self._settled.wait()
        if self._answer is None:
            return None
        if self._answer.error is not None:
            raise self._answer.error
        try:
            return msgspec.json.decode(self._answer.result)
        except msgspec.DecodeError as error:
            words = f"the editor's answer to request {self.id} cannot be read: {error}"
            raise RpcError(jsonrpc.INTERNAL_ERROR, words) from None

    def withdraw(self) -> None:
        """Cancel the request in the editor, because its answer is no longer needed."""
        if not self._settled.is_set():
            self._settled.set()
            self._send(jsonrpc.notification("$/cancel_request", {"requestId": self.id}))

    def settle(self, answer: Response) -> None:
        """Set the editor's answer, and wake `wait`; a second answer is ignored."""
        if not self._settled.is_set():
            self._answer = answer
            self._settled.set()


class Peer:
    """Reads JSON-RPC messages of the editor, and calls the handlers of their methods.

    Args:
        outlet: writes answers and requests to the editor.
        requests: the handlers of the methods that are answered, by method.
        notifications: the handlers of the methods that are not answered, by method.
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
        """Send the editor a request; the returned object waits for the answer."""
        ask = Ask(next(self._ids), self._outlet.send)
        with self._lock:
            self._asks[ask.id] = ask
        self._outlet.send(jsonrpc.request(ask.id, method, params))
        return ask

    def take(self, line: bytes | LineTooLong) -> None:
        """Handle a line from the editor; errors are sent to the editor, and never raised."""
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
        """Cancel a request of the editor that still runs, as `$/cancel_request` asks."""
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
            words = f"method: weir acp has no method {request.method!r}"
            unknown = RpcError(jsonrpc.METHOD_NOT_FOUND, words)
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
        """Return a handler for a notification that the editor has sent as a request, with an id.

        The editor waits for an answer, so the handler returns an empty result.
        """
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
            log.exception("the editor's request %s has failed", request.method)
            words = f"{request.method} has failed in weir acp: {type(error).__name__}: {error}"
            problem = RpcError(jsonrpc.INTERNAL_ERROR, words)
        self._answer(request.id, jsonrpc.error, problem)
        return None

    def _answer(self, id: Id, line: Callable[[Id, Any], bytes], value: Any) -> None:
        """Answer a request of the editor, unless it was answered already."""
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
            log.warning(
                "the editor's notification %s is ignored: %s", notification.method, error.message
            )
        except Exception:
            log.exception("the editor's notification %s has failed", notification.method)

    def _response(self, answer: Response) -> None:
        with self._lock:
            ask = self._asks.pop(answer.id, None)
        if ask is None:
            log.warning(
                "an answer of the editor is ignored, because no request with the id %r is open",
                answer.id,
            )
        else:
            ask.settle(answer)
