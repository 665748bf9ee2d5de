"""Generated requests at a weir that asks for an identity: no leak, no crash, no descriptor left.

The attack has a weir of its own, with tokens, people and a JWK set, natively or in front of an
upstream: the weir of the other attacks asks for nothing.
"""

import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from urllib.parse import urlsplit

from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.benchmarks.child import child
from tests.blackbox.weir_up import Up, weir_up
from tests.hostile.attack import OPENCODE, Attack, Site
from tests.hostile.door_requests import INSIDE, OUTSIDE, Target, request
from tests.processes import wait_until
from tests.unit.gateway.access.people.issuer import jwk_of, jwks, other_key

MARK = "outside-word"
_CLIENTS = 16
_WITHIN_S, _SPEAKS_WITHIN_S = 120.0, 0.2
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
_HONEST = (b"501", b"502", b"503", b"504", b"505")
_ISSUER = "https://id.example.org"
_MOST_BYTES = 65536


def run(site: Site, count: int) -> None:
    """Send so many requests, on a connection each: a third of them natively.

    At full size, no third takes longer than the stage waits for each step of an attack.
    """
    third = count // 3
    _attack(site, third, ())
    with child("-m", OPENCODE) as upstream:
        flags = ("--upstream", upstream.hear(_WITHIN_S))
        site.begin()
        _attack(site, third, flags)
        site.end()
        _attack(site, third, flags)


def _attack(site: Site, count: int, flags: Sequence[str]) -> None:
    with TemporaryDirectory() as folder, _guarded(Path(folder), flags) as (up, target):
        before = _descriptors(up)
        seeds = [site.random.randrange(10**9) for _ in range(_CLIENTS)]
        threads = [
            Thread(target=_send, args=(site, up.url, target, seed, count // _CLIENTS))
            for seed in seeds
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with suppress(TimeoutError):
            wait_until(lambda: _descriptors(up) <= before + _CLIENTS)
        if (left := _descriptors(up)) > before + _CLIENTS:
            site.wrong.append(f"{left - before} descriptors are left")
        if "Traceback" in up.output:
            site.wrong.append("the log of the guarded weir has a traceback")


@contextmanager
def _guarded(folder: Path, more: Sequence[str]) -> Iterator[tuple[Up, Target]]:
    state, keys, people = folder / "state", folder / "jwks.json", folder / "identities.json"
    state.mkdir(mode=0o700)
    file = TokenFile(state)
    owner = file.add("owner", Action.ADMIN, None)[0]
    tokens = [
        file.add(action.word, action, None, (f"{INSIDE}/**",))[0]
        for action in (Action.READ, Action.WRITE, Action.ADMIN)
    ]
    keys.write_bytes(jwks(jwk_of(other_key("EdDSA"), "k1")))
    issuer = {"issuer": _ISSUER, "audience": "weir", "jwks": str(keys)}
    users = {f"{_ISSUER}#admin": [{"action": "admin"}]}
    people.write_text(json.dumps({"issuers": [issuer], "users": users}))
    people.chmod(0o600)
    flags = ("--identities", str(people), "--trusted-user-header", "X-User", *more)
    with weir_up(folder, "--workers", "2", *flags, "--trusted-proxies", "127.9.9.9") as up:
        login = {"headers": {"Authorization": f"Bearer {owner}"}}
        inside, outside = (
            up.patiently("POST", f"/session?directory={where}", {"title": title}, **login).body[
                "id"
            ]
            for where, title in ((INSIDE, "inner"), (OUTSIDE, MARK))
        )
        yield up, Target(inside, outside, tokens, _ISSUER)


def _send(site: Site, url: str, target: Target, seed: int, count: int) -> None:
    random, where = Random(seed), urlsplit(url)
    for _ in range(count):
        data = request(random, target, where.netloc)
        said = b""
        try:
            with socket.create_connection((where.hostname, where.port), _WITHIN_S) as sock:
                sock.sendall(data)
                said = _answers(sock)
        except TimeoutError:
            site.wrong.append(f"no answer and no end: {data[:300]!r}")
        except OSError:
            continue  # a reset is an end too
        for status in _STATUS.findall(said):
            if status >= b"500" and status not in _HONEST:
                site.wrong.append(f"{data[:300]!r} is answered with {said[:300]!r}")
        if MARK.encode() in said:
            site.wrong.append(f"{data[:300]!r} leaks {said[:300]!r}")


def _answers(sock: socket.socket) -> bytes:
    """Return what is said until a pause, or until the end."""
    said = b""
    while len(said) < _MOST_BYTES:
        sock.settimeout(_SPEAKS_WITHIN_S if said else _WITHIN_S)
        try:
            data = sock.recv(_MOST_BYTES)
        except TimeoutError:
            if not said:
                raise
            return said
        if not data:
            return said
        said += data
        if said.count(b"\r\n\r\n") and b"100 Continue" not in said:
            sock.shutdown(socket.SHUT_WR)
    return said


def _descriptors(up: Up) -> int:
    pids = up.everybody()
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


ATTACK = Attack(
    "{n} generated requests at a door that asks who it is",
    run,
    full=100_000,
    small=400,
    usual=4_000,
    modes=("native",),
    memory_mb=400.0,
)
