"""A weir with tokens, and what a test asks of it with one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.blackbox.weir_up import Up, weir_up

HERE, THERE = "/srv/here", "/srv/there"


class TokenServer:
    """A weir with tokens."""

    def __init__(self, up: Up, tokens: TokenFile) -> None:
        self.up = up
        self.tokens = tokens
        self.owner = tokens.add("owner", Action.ADMIN, None)[0]
        self.writer = tokens.add("writer", Action.WRITE, None, (f"{HERE}/**",))[0]
        self.reader = tokens.add("reader", Action.READ, None)[0]

    def call(self, token: str, method: str, path: str, body=None):
        headers = {"Authorization": f"Bearer {token}"}
        return self.up.patiently(method, path, body, headers=headers)

    def session(self, folder: str) -> str:
        made = self.call(self.owner, "POST", f"/session?directory={folder}", {"title": folder})
        return str(made.body["id"])

    def share(self, token: str, session: str, **more):
        return self.call(token, "POST", "/weir/shares", {"session": session, **more})

    def listed(self, token: str) -> set[str]:
        return {one["id"] for one in self.call(token, "GET", "/weir/shares").body}


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """Run a weir with two workers for the time of a ``with`` block."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    file = TokenFile(state)
    file.add("first", Action.READ, None)
    with weir_up(folder, "--workers", "2") as up:
        yield TokenServer(up, file)
