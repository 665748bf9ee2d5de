"""Bodies of JSON that is nested deep, on every route that takes one."""

from tests.hostile.attack import NATIVE, Attack, Site
from tests.hostile.mutations import nested

_LEVELS = (200, 250, 254, 255, 256, 257, 500, 960, 967, 968, 969, 970, 971, 1500, 20_000, 100_000)


def run(site: Site, times: int) -> None:
    """Send them; each is taken or refused by name, and what is taken comes back whole."""
    session = site.ask("POST", "/session", {}).body["id"]
    routes = [
        ("POST", "/session", b'{"metadata":%b}'),
        ("POST", "/session", b'{"permission":%b}'),
        ("PATCH", f"/session/{session}", b'{"metadata":%b}'),
        ("POST", f"/session/{session}/prompt_async", b'{"parts":[%b]}'),
        (
            "POST",
            f"/session/{session}/message",
            b'{"noReply":true,"parts":[{"type":"text","text":"x","metadata":%b}]}',
        ),
    ]
    site.begin()
    for _ in range(times):
        for levels in _LEVELS:
            for method, path, body in routes:
                reply = site.ask(method, path, body % nested(levels))
                if reply.status >= 500:
                    site.wrong.append(f"{method} {path}: {reply.status} at {levels} levels")
                if levels > 256 and "256 levels" not in str(reply.body):
                    site.wrong.append(f"{method} {path}: {levels} levels are not refused by name")
    for path in ("/session", f"/session/{session}", f"/session/{session}/message"):
        if site.ask("GET", path).status != 200:
            site.wrong.append(f"GET {path} fails afterwards")
    for _ in site.hold():
        pass


ATTACK = Attack(
    "bodies of up to 100,000 levels, {n} times", run, full=20, small=1, modes=(NATIVE,)
)
