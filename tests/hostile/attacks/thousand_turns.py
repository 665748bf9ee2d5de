"""More turns at once than may run."""

from concurrent.futures import ThreadPoolExecutor

from processor.native.bounds import Bounds
from tests.hostile.attack import NATIVE, Attack, Site

_THREADS = 8
_PROMPT = {"parts": [{"type": "text", "text": "rate 1 100000"}]}


def run(site: Site, count: int) -> None:
    """Begin them, each in a session of its own, and see how many run."""

    def begin(_: int) -> str:
        session = site.ask("POST", "/session", {}).body["id"]
        reply = site.ask("POST", f"/session/{session}/prompt_async", _PROMPT)
        if reply.status not in (204, 429):
            site.wrong.append(f"a prompt: {reply.status} {reply.body}")
        return str(session)

    with ThreadPoolExecutor(_THREADS) as threads:
        sessions = list(threads.map(begin, range(count)))
        site.begin()
        for _ in site.hold(0.5):
            busy = len(site.ask("GET", "/session/status").body)
            if busy > Bounds().turns:
                site.wrong.append(f"{busy} turns run at once")
        list(threads.map(lambda one: site.ask("DELETE", f"/session/{one}"), sessions))


ATTACK = Attack("{n} turns at once", run, full=1500, small=300, modes=(NATIVE,))
