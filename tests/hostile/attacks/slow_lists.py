"""Clients that ask for a long list and do not read it."""

import json

from tests.hostile.attack import NATIVE, Attack, Site, reset

_MESSAGES, _TEXT = 4, 10_000_000


def run(site: Site, count: int) -> None:
    """Ask for the same list from many connections, and read none."""
    session = site.ask("POST", "/session", {}).body["id"]
    body = {"noReply": True, "parts": [{"type": "text", "text": "x" * _TEXT}]}
    prompt = json.dumps(body).encode()
    for _ in range(_MESSAGES):
        site.ask("POST", f"/session/{session}/message", prompt, timeout_s=60)
    path = f"GET /session/{session}/message HTTP/1.1\r\nHost: weir\r\n\r\n".encode()
    slow = [site.connect() for _ in range(count)]
    for sock in slow:
        sock.sendall(path)
    site.begin()
    while site.goes_on():
        reply = site.ask("GET", f"/session/{session}/message", timeout_s=60)
        if reply.status != 200 or len(reply.body) != _MESSAGES:
            site.wrong.append(f"the list for a client that reads: {reply.status}")
    for sock in slow:
        reset(sock)
    site.ask("DELETE", f"/session/{session}")


ATTACK = Attack(
    "{n} clients that ask for a list of 40 MB and do not read",
    run,
    full=500,
    small=20,
    modes=(NATIVE,),
    memory_mb=300.0,
    kept_mb=150.0,
)
