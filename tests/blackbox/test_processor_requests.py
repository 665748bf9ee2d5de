"""What a provider is asked, and how its connection is used."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bus.bodies import FileInput, PromptBody, TextInput
from bus.commands import Prompt
from tests.blackbox.processor_driver import Processor, processor

KEY = "sk-1"
LINGER_S = 100.0


class _Handler(BaseHTTPRequestHandler):
    """Answers in a few words, one HTTP chunk each."""

    protocol_version = "HTTP/1.1"
    server: "_Api"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.connections.add(self.client_address)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in ("one ", "two ", "three"):
            self._chunk(json.dumps({"choices": [{"delta": {"content": word}}]}))
        self._chunk(json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
        if "linger" in body["messages"][-1]["content"]:
            self._chunk("[DONE]")
            self.server.released.wait(LINGER_S)
            self.wfile.write(b"0\r\n\r\n")
        else:
            self._chunk("[DONE]", b"0\r\n\r\n")

    def _chunk(self, data: str, end: bytes = b"") -> None:
        frame = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame) + end)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Api(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.connections: set[Any] = set()
        self.released = threading.Event()


@pytest.fixture
def api() -> Iterator[_Api]:
    server = _Api()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(api: _Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processor]:
    flags = ["--model-url", f"http://127.0.0.1:{api.server_address[1]}/v1/", "--model", "m1"]
    with processor(tmp_path_factory.mktemp("model"), *flags, WEIR_MODEL_API_KEY=KEY) as running:
        yield running


def test_the_model_is_asked_with_all_that_was_said(model: Processor, api: _Api) -> None:
    session = model.session()
    model.turn(session, "first")
    files = [FileInput(mime="text/plain", url="data:,abc", filename="a.txt")]
    body = PromptBody(parts=[TextInput(text="second"), *files], system="be brief")
    model.wait(session, model.ask(Prompt(session, body))["messageID"])
    path, headers, body = api.asked[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert "bash" in [tool["function"]["name"] for tool in body.pop("tools")]
    asked, *said = body.pop("messages")
    assert asked["role"] == "system"
    assert asked["content"].endswith("be brief")
    assert {**body, "messages": said} == {
        "model": "m1",
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one two three"},
            {"role": "user", "content": "second\n\na.txt:\nabc"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_turns_one_after_another_share_a_connection(model: Processor, api: _Api) -> None:
    for _ in range(3):
        answer = model.turn(model.session(), "hello")
        assert answer["parts"][1]["text"] == "one two three"
    assert len(api.connections) == 1


def test_a_provider_that_lingers_after_its_last_word_holds_nobody_up(model: Processor) -> None:
    start = time.monotonic()
    assert model.turn(model.session(), "linger")["info"]["finish"] == "stop"
    assert time.monotonic() - start < LINGER_S / 2
