"""Sessions without number, with long titles, and long lists of them."""

from concurrent.futures import ThreadPoolExecutor

from tests.hostile.attack import NATIVE, Attack, Site

_TITLE = "t" * 2000
_LISTED = 10_000


def run(site: Site, count: int) -> None:
    """Make sessions from some threads until the time is over, and list them."""
    made: list[str] = []

    def flood(_: int) -> None:
        while site.goes_on():
            reply = site.ask("POST", "/session", {"title": _TITLE})
            if reply.status != 200:
                site.wrong.append(f"a session: {reply.status} {reply.body}")
                return
            made.append(reply.body["id"])

    site.begin()
    with ThreadPoolExecutor(count) as threads:
        floods = list(map(threads.submit, [flood] * count, range(count)))
        while site.goes_on():
            reply = site.ask("GET", f"/session?limit={_LISTED}")
            ids = [one["id"] for one in reply.body] if reply.status == 200 else []
            if reply.status != 200 or len(set(ids)) != len(ids):
                site.wrong.append(f"the list: {reply.status}, {len(ids)} sessions")
        for one in floods:
            one.result()
        list(threads.map(lambda session: site.ask("DELETE", f"/session/{session}"), made))
    site.note = f"{len(made)} sessions"


ATTACK = Attack("sessions from {n} threads, and lists", run, full=6, small=2, modes=(NATIVE,))
