"""Prompts without number: what is past the bounds is refused by name, and nothing fails."""

from concurrent.futures import ThreadPoolExecutor

from tests.hostile.attack import NATIVE, Attack, Site
from tests.http_client import Reply

_EACH = 30
_PROMPT = {"parts": [{"type": "text", "text": "rate 1 100000"}]}


def run(site: Site, count: int) -> None:
    """Prompt many sessions from as many threads until the time is over."""
    sessions = [site.ask("POST", "/session", {}).body["id"] for _ in range(count)]
    statuses: dict[int, int] = {}

    def flood(session: str) -> None:
        for _ in range(_EACH):
            reply = site.ask("POST", f"/session/{session}/prompt_async", _PROMPT)
            statuses[reply.status] = statuses.get(reply.status, 0) + 1
            _judge(site, reply)

    site.begin()
    with ThreadPoolExecutor(count) as threads:
        while site.goes_on():
            list(threads.map(flood, sessions))
    for session in sessions:
        site.ask("DELETE", f"/session/{session}")
    site.note = ", ".join(f"{number} of {status}" for status, number in sorted(statuses.items()))
    if 429 not in statuses:
        site.wrong.append(f"no prompt was refused: {site.note}")


def _judge(site: Site, reply: Reply) -> None:
    if reply.status == 204:
        return
    named = reply.status == 429 and reply.body["data"]["bound"] == "--max-prompts"
    if not named or "Retry-After" not in reply.headers:
        site.wrong.append(f"a prompt was not refused as it should: {reply}")


ATTACK = Attack(
    "prompts from {n} threads, without number",
    run,
    full=8,
    small=4,
    modes=(NATIVE,),
    flags=("--max-prompts", "100", "--max-turns", "20"),
)
