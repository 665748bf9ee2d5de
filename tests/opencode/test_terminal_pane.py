"""A terminal pane of a real opencode, through weir: a WebSocket that a shell is behind."""

from urllib.parse import quote

import pytest

from tests.blackbox.proxied import header
from tests.opencode.api import Api
from tests.opencode.install import OLD_VERSION, VERSION
from tests.processes import wait_until
from tests.raw_client import RawClient
from tests.websocket import ASKS, CLOSE, frame

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.parametrize("opencode", [VERSION, OLD_VERSION], indirect=True, scope="package"),
]


def test_a_shell_answers_what_is_typed_and_its_end_ends_the_pane(opencode, up):
    api = Api(up.url, str(opencode.projects[0]))
    pane = api.ask("POST", "/pty", {"command": "/bin/sh"})["id"]
    target = f"/pty/{pane}/connect?directory={quote(api.directory)}"
    with RawClient(up.url) as client:
        client.get(target, *ASKS, "Sec-WebSocket-Version: 13", f"Origin: {up.url}")
        head = client.head()
        assert head[0] == "HTTP/1.1 101 Switching Protocols"
        assert header(head, "Sec-WebSocket-Accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        client.send(frame(b"echo we''ir\n", masked=True))
        client.until(b"weir\r\n")
        client.send(frame(b"exit\n", masked=True))
        client.until(bytes([0x80 | CLOSE]))
        client.send(frame((1000).to_bytes(2, "big"), CLOSE, masked=True))
        assert client.rest()[1] == "end"


def test_a_page_of_another_origin_gets_no_shell(opencode, up):
    api = Api(up.url, str(opencode.projects[0]))
    pane = api.ask("POST", "/pty", {"command": "/bin/sh"})["id"]
    with RawClient(up.url) as client:
        client.get(f"/pty/{pane}/connect", *ASKS, "Origin: https://evil.example")
        assert client.json()[0] == 403
    api.ask("DELETE", f"/pty/{pane}")
    wait_until(lambda: pane not in [one["id"] for one in api.ask("GET", "/pty")])
