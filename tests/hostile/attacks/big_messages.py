"""Messages as long as a prompt may be, and lists of them."""

import json

from tests.hostile.attack import NATIVE, Attack, Site

_TEXT = 31_000_000


def run(site: Site, count: int) -> None:
    """Save the messages, and read them again and again."""
    session = site.ask("POST", "/session", {}).body["id"]
    body = {"noReply": True, "parts": [{"type": "text", "text": "x" * _TEXT}]}
    prompt = json.dumps(body).encode()
    for _ in range(count):
        reply = site.ask("POST", f"/session/{session}/message", prompt, timeout_s=60)
        if reply.status != 200:
            site.wrong.append(f"a message of {_TEXT} bytes: {reply.status} {reply.body}")
    del prompt, body
    site.begin()
    lists = 0
    while site.goes_on():
        reply = site.ask("GET", f"/session/{session}/message", timeout_s=120)
        texts = [len(message["parts"][0]["text"]) for message in reply.body]
        if reply.status != 200 or texts != [_TEXT] * count:
            site.wrong.append(f"the list of {count} messages: {reply.status} {texts}")
        lists += 1
    site.ask("DELETE", f"/session/{session}")
    site.note = f"{lists} lists"


ATTACK = Attack(
    "{n} messages of 31 MB, and lists of them",
    run,
    full=16,
    small=2,
    modes=(NATIVE,),
    memory_mb=450.0,
    kept_mb=150.0,
)
