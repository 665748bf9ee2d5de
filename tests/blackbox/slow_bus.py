"""A bus whose processor is slow to answer: its commands pass through here, its events do not."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from bus.transport.endpoints import Endpoints
from bus.transport.sockets import requester_socket, responder_socket

_POLL_MS = 20


@contextmanager
def slow_bus(folder: Path, bus: str, late_s: float) -> Iterator[str]:
    """The URL of a bus in `folder` that has the events of `bus`, and each answer so much later."""
    behind, slow = Endpoints.parse(bus), Endpoints.parse(f"ipc://{folder}")
    Path(slow.events.removeprefix("ipc://")).symlink_to(behind.events.removeprefix("ipc://"))
    over = threading.Event()
    thread = threading.Thread(target=_pass, args=(slow.commands, behind.commands, late_s, over))
    thread.start()
    try:
        yield slow.url
    finally:
        over.set()
        thread.join()


def _pass(front: str, behind: str, late_s: float, over: threading.Event) -> None:
    """Hand on the commands of one worker at once, and the answers later."""
    with zmq.Context() as context:
        asking, answering = responder_socket(context, front), requester_socket(context, behind)
        answers: deque[tuple[float, bytes]] = deque()
        worker = b""
        while not over.is_set():
            asking.poll(_POLL_MS)
            while asking.poll(0):
                worker, command = asking.recv_multipart()
                answering.send(command)
            while answering.poll(0):
                answers.append((time.monotonic() + late_s, answering.recv()))
            while answers and answers[0][0] <= time.monotonic():
                asking.send_multipart([worker, answers.popleft()[1]])
        context.destroy(linger=0)
