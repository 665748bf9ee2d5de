"""A worker whose bus overflows: nothing its readers should have had is missing."""

import contextlib
import json
import os
import signal
from contextlib import contextmanager
from urllib.request import Request, urlopen

from tests.processes import free_port, running, wait_until
from tests.sse_client import SseClient

DELTAS = 14_000


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data), timeout=40) as reply:
        return json.loads(reply.read() or "null")


@contextmanager
def gateway(folder, name):
    port = free_port()
    flags = ["--bus", f"ipc://{folder}/bus", "--port", str(port), "--workers", "1"]
    with running("-m", "gateway", *flags, log=folder / name, cwd=folder) as process:
        url = f"http://127.0.0.1:{port}"
        process.says("Booting worker")
        wait_until(lambda: answers(f"{url}/path"), what="an answer of the processor")
        yield url, process


def answers(url):
    try:
        return call(url) is not None
    except OSError:
        return False


def worker_of(process):
    return int(process.says("Booting worker").rpartition("pid: ")[2])


def text_of(payloads):
    text = {}
    for payload in payloads:
        properties = payload["properties"]
        if payload["type"] == "message.part.delta":
            text[properties["partID"]] = text.get(properties["partID"], "") + properties["delta"]
        elif payload["type"] == "message.part.updated" and "text" in properties["part"]:
            text[properties["part"]["id"]] = properties["part"]["text"]
    return text


def test_what_a_stopped_worker_missed_is_replayed_before_anything_later(short_folder):
    flags = ["--bus", f"ipc://{short_folder}/bus", "--state", str(short_folder / "state")]
    with (
        running("-m", "processor", *flags, log=short_folder / "processor.log") as processor,
        gateway(short_folder, "stopped.log") as (url, stopped),
        gateway(short_folder, "other.log") as (other_url, _),
    ):
        processor.says("processor ready")
        session = call(f"{other_url}/session", {})["id"]
        prompt = {"parts": [{"type": "text", "text": f"rate 3500 {DELTAS}"}]}
        with SseClient(f"{url}/global/event") as stream:
            stream.next()
            # A busy machine says more in one frame, and so fewer frames overflow.
            for turns in (1, 2, 4):
                os.kill(worker_of(stopped), signal.SIGSTOP)
                answers = [
                    call(f"{other_url}/session/{session}/message", prompt) for _ in range(turns)
                ]
                os.kill(worker_of(stopped), signal.SIGCONT)
                got = [event for _ in range(turns) for event in stream.until(is_idle)]
                if overflowed(stopped):
                    break
        stopped.says("were replayed")
    deltas = [e for e in got if e["payload"]["type"] == "message.part.delta"]
    parts = [part for answer in answers for part in answer["parts"] if "text" in part]
    rest = {part["id"]: part["text"] for part in parts}
    shown = text_of(event["payload"] for event in got)
    assert {part: shown[part] for part in rest} == rest
    said = sum(e["payload"]["properties"]["delta"].count("|") for e in deltas)
    assert said <= DELTAS * turns


def is_idle(event):
    return event["payload"]["type"] == "session.idle"


def overflowed(worker):
    with contextlib.suppress(TimeoutError):
        return worker.says("were replayed", 1)
