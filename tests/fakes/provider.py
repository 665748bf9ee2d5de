"""A model API whose answers are scripted by the prompt: ``python -m tests.fakes.provider``.

It speaks the streaming part of OpenAI's chat completions and nothing else. The text of the last
user message is the script; SIZE is in characters, the running number in front included:

    storm N SIZE          N deltas as fast as the socket takes them
    rate R N [SIZE]       N deltas at R a second, each with the time it is sent at
    reason N text M       N deltas of reasoning, then M of text
    length N              N deltas, cut short by the token limit
    error STATUS MESSAGE  a refusal
    later S               a refusal that asks to come back S seconds later
    flaky STATUS K then N refused K times, later requests get N deltas
    cut N                 N deltas, then the connection ends inside a chunk
    cutonce N             the same on the first request, later ones get N deltas and a proper end
    badjson N             N deltas, then a frame that is not JSON, then a proper end
    hang N                N deltas, then silence until the client leaves
    held N                N deltas, then silence until `POST /release`, then a proper end
    silent                not even headers
    tool NAME ARGUMENTS then N
                          a call of a tool, and N deltas once it has run, as by the demo model: the
                          arguments are JSON, or of bash the command
    write PATH TEXT       the same with the write tool; 3 deltas
    edit PATH OLD NEW     the same with the edit tool
    delegate SCRIPT       the same with the task tool, whose subagent plays a script of its own
    question              the same with the question tool
    todo                  the same with the todowrite tool
    parts K N SIZE        K texts of N deltas, a call of todowrite between each two
    work PATH CMD then N  N deltas of thought; N of text, and of each of the tools todowrite, write
                          and bash a call, with N deltas of text behind it
    anything else         comes back word by word

A model of `tests.fakes.odd` misbehaves by its name, whatever the prompt.

`GET /requests` tells what was asked for, ``[{"path", "prompt", "aborted"}]``, where aborted means
that the client left before the end of the answer. What opencode asks for a title has no prompt.
"""

import argparse
import contextlib
import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.answer import Answer, ClientLeft, is_title, prompt_of, send_json
from tests.fakes.odd import ODD
from tests.fakes.odd_wire import Wire
from tests.fakes.scripts import play

MODELS = {"object": "list", "data": [{"id": "m1", "object": "model", "owned_by": "fake"}]}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        """Tell the models, or what has been asked for."""
        if self.path == "/requests":
            send_json(self, 200, self.server.requests)
        elif self.path == "/v1/models":
            self.server.note(self.path)
            send_json(self, 200, MODELS)
        else:
            send_json(self, 404, {"error": {"message": f"no route {self.path}", "code": "404"}})

    def do_POST(self) -> None:
        """Play the script of a chat completion."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/release":
            self.server.release()
            send_json(self, 200, True)
            return
        # Read before anything of the answer is to be seen: who sees it may release it at once.
        self.releases = self.server.releases
        request = json.loads(body)
        prompt = "" if is_title(request) else prompt_of(request)
        note, attempt = self.server.note(self.path, prompt)
        answer = Answer(self, request, attempt)
        if self.path != "/v1/chat/completions" or not request.get("stream"):
            answer.refuse(400, "only POST /v1/chat/completions with stream: true is played")
            return
        odd = ODD.get(request.get("model"))
        try:
            odd.play(Wire(self, request)) if odd else play(answer)
        except (ClientLeft, ConnectionError):
            note["aborted"] = True
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard output carries the address alone."""


class Server(ThreadingHTTPServer):
    """The listener and its memory of what has been asked for."""

    request_queue_size = 512

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[dict[str, Any]] = []
        self.releases = 0
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def release(self) -> None:
        """Have the answers end that are held."""
        with self._lock:
            self.releases += 1

    def note(self, path: str, prompt: str = "") -> tuple[dict[str, Any], int]:
        """Remember a request; returns its entry, and how often its prompt has been seen."""
        entry = {"path": path, "prompt": prompt, "aborted": False}
        with self._lock:
            self.requests.append(entry)
            self._attempts[prompt] += 1
            return entry, self._attempts[prompt]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that resets an idle connection is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until killed, or until standard input ends."""
    parser = argparse.ArgumentParser(description="scripted OpenAI-compatible provider")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    options = parser.parse_args()
    server = Server(options.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read() if options.until_eof else threading.Event().wait()


if __name__ == "__main__":
    main()
