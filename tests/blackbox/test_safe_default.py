"""What a native weir refuses by default: other machines, foreign pages, and a missing password."""

import pytest

from tests.blackbox.proxied import header
from tests.ports import free_port
from tests.processes import running
from tests.raw_client import RawClient

BASIC = "Authorization: Basic b3BlbmNvZGU6czNjcmV0"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_gateway_for_other_machines_is_refused_without_an_identity(tmp_path, host):
    flags = ["--bus", f"ipc://{tmp_path}", "--host", host, "--port", str(free_port())]
    with running("-m", "gateway", *flags, log=tmp_path / "log") as process:
        assert process.ends() == 2
    assert f"weir gateway: --host: {host!r} can be reached from other machines" in process.output
    assert len(process.output.splitlines()) == 1


def test_weir_up_for_other_machines_is_refused_without_an_identity(tmp_path):
    flags = ["--state", str(tmp_path / "state"), "--host", "0.0.0.0", "--port", "0"]
    with running("-m", "deploy.cli", "up", *flags, log=tmp_path / "log") as process:
        assert process.ends() == 2
    assert "weir up: --host: '0.0.0.0' can be reached from other machines" in process.output


def test_a_native_weir_asks_for_the_password_of_its_environment(tmp_path):
    port = free_port()
    flags = ["--bus", f"ipc://{tmp_path}", "--host", "0.0.0.0", "--port", str(port), "--workers=1"]
    password = {"OPENCODE_SERVER_PASSWORD": "s3cret"}
    with running("-m", "gateway", *flags, log=tmp_path / "log", env=password) as process:
        process.says("Listening at")

        def answer(target, *headers, method="GET"):
            with RawClient(f"http://127.0.0.1:{port}") as client:
                client.get(target, *headers, method=method)
                head = client.head()
            return int(head[0].split()[1]), header(head, "WWW-Authenticate")

        for target in ("/session", "/event", "/weir/status", "/metrics", "/nothing"):
            assert answer(target) == (401, ['Basic realm="Secure Area"'])
        assert answer("/weir/status", "Sec-Fetch-Mode: cors") == (401, ['Bearer realm="weir"'])
        assert answer("/session", method="POST")[0] == 401
        assert answer("/weir/status", BASIC)[0] == 200
        assert answer("/weir/status?auth_token=b3BlbmNvZGU6czNjcmV0")[0] == 200
        assert answer("/weir/livez")[0] == answer("/weir/console")[0] == 200
        # A browser sends the login that it has for weir with requests of any page.
        evil = [BASIC, "Origin: https://evil.example"]
        assert answer("/session", *evil, method="POST")[0] == 403
        for _ in range(2):
            assert answer("/weir/status", "Authorization: Basic eDp5")[0] == 401
        assert process.output.count("a login from 127.0.0.1 is wrong") == 1
