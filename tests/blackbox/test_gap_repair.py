"""A worker whose bus overflows: nothing its readers should have had is missing."""

import json
import os
import signal
from contextlib import contextmanager
from urllib.request import Request, urlopen

from tests.blackbox.ears import listening
from tests.processes import DEADLINE_S, free_port, running, wait_until
from tests.sse_client import SseClient

MORE_THAN_A_BUS_HOLDS = 5_000
"""Frames: the mark of the socket, and what the kernel's buffers take."""


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data), timeout=DEADLINE_S) as reply:
        return json.loads(reply.read() or "null")


@contextmanager
def gateway(folder, name):
    port = free_port()
    flags = ["--bus", f"ipc://{folder}/bus", "--port", str(port), "--workers", "1"]
    flags += ["--worker-timeout", "0"]
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
        listening(f"ipc://{short_folder}/bus") as ears,
        gateway(short_folder, "stopped.log") as (url, stopped),
        gateway(short_folder, "other.log") as (other_url, _),
    ):
        processor.says("processor ready")
        session = call(f"{other_url}/session", {})["id"]
        prompt = {"parts": [{"type": "text", "text": "rate 1500 1000000"}]}
        with SseClient(f"{url}/global/event") as stream:
            stream.next()
            os.kill(worker_of(stopped), signal.SIGSTOP)
            call(f"{other_url}/session/{session}/prompt_async", prompt)
            # A busy machine says more in one frame, and so it takes longer until they overflow.
            ears.until(lambda: ears.batches > MORE_THAN_A_BUS_HOLDS, 2 * DEADLINE_S)
            call(f"{other_url}/session/{session}/abort", {})
            answer = call(f"{other_url}/session/{session}/message")[-1]
            os.kill(worker_of(stopped), signal.SIGCONT)
            # A turn that is stopped is idle twice, and its last words come in between.
            got = [event for _ in range(2) for event in stream.until(is_idle)]
        stopped.says("were replayed")
    deltas = [e for e in got if e["payload"]["type"] == "message.part.delta"]
    rest = {part["id"]: part["text"] for part in answer["parts"] if "text" in part}
    shown = text_of(event["payload"] for event in got)
    assert rest
    assert {part: shown[part] for part in rest} == rest
    said = sum(e["payload"]["properties"]["delta"].count("|") for e in deltas)
    assert said <= sum(text.count("|") for text in rest.values())


def is_idle(event):
    return event["payload"]["type"] == "session.idle"
