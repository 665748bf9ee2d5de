import json
import os
import subprocess
import sys
from importlib.util import find_spec

import gevent
import pytest
from msgspec.structs import replace

from bus.mcp import LocalServer, RemoteServer
from bus.process.flags import BadFlag
from processor.tools import descendants
from processor.tools.builtin import bounded
from processor.tools.mcp import server
from processor.tools.mcp.config import servers_in
from processor.tools.mcp.servers import McpServers, UnknownServer, tool_name
from processor.tools.process import MARK, ToolProcesses
from processor.tools.tool import CallRefused, ToolFailed
from tests.processes import DEADLINE_S, ROOT, wait_until

FAKE = [sys.executable, str(ROOT / "tests" / "fakes" / "mcp_server.py")]
PROCESSES = ToolProcesses({"PATH": os.environ["PATH"]})

# The program that connects to a server imports the package. This process does not: it takes long.
pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="mcp is not installed")


@pytest.fixture(scope="module")
def servers():
    local = LocalServer(command=FAKE, timeout=int(DEADLINE_S * 1000))
    servers = McpServers(
        {"fake": local, "off": LocalServer(command=["x"], enabled=False)}, PROCESSES
    )
    yield servers
    servers.close()


def ready(servers, name="fake", directory="/"):
    """The tools, once the server is ready: a server that has died is started again."""
    found = wait_until(
        lambda: (
            servers.tools(directory)
            if is_connected(servers, name, directory)
            else gevent.sleep(0.1)
        )
    )
    assert found
    return found


def is_connected(servers, name, directory):
    return servers.status(directory)[name] == {"status": "connected"}


def test_the_tools_of_a_server_are_offered_and_called(servers, call):
    tools = ready(servers)
    echo = tools["fake_echo"]
    assert echo.description == "Does echo"
    assert echo.parameters["properties"] == {"text": {"type": "string"}}
    assert echo.run(b'{"text":"hello"}', call).output == "hello"
    assert call.asked() == [("fake_echo", ["*"])]
    assert servers.status("/")["off"] == {"status": "disabled"}
    assert not [name for name in tools if name.startswith("off")]


def test_a_call_that_is_denied_does_not_reach_the_server(servers, call):
    tools = ready(servers)
    call.denied.add("fake_die")
    with pytest.raises(CallRefused):
        tools["fake_die"].run({}, call)
    assert tools["fake_echo"].run({"text": "alive"}, call).output == "alive"


def test_an_error_of_the_server_and_bad_arguments_are_told_to_the_model(servers, call):
    tools = ready(servers)
    with pytest.raises(ToolFailed, match="it went wrong"):
        tools["fake_fail"].run({"text": "it went wrong"}, call)
    for arguments in (b"{", "[1]"):
        with pytest.raises(ToolFailed, match="arguments of fake_echo are invalid"):
            tools["fake_echo"].run(arguments, call)


def test_a_long_result_is_in_the_spool(servers, call, spool):
    outcome = bounded(ready(servers)["fake_big"], spool).run({}, call)
    assert "are left out here" in outcome.output
    assert os.path.getsize(outcome.metadata["outputPath"]) == 200_000


def test_a_server_that_dies_is_an_error_and_is_started_again(servers, call):
    with pytest.raises(ToolFailed, match=r"^MCP server fake: "):
        ready(servers)["fake_die"].run({}, call)
    assert ready(servers)["fake_echo"].run({"text": "again"}, call).output == "again"


def test_a_call_without_an_answer_ends_and_the_server_goes_on(servers, call, monkeypatch):
    tools = ready(servers)
    [fake] = [one for one in servers._servers.values() if one.name == "fake"]
    with monkeypatch.context() as patch:
        patch.setattr(server, "LATER_S", DEADLINE_S)
        patch.setattr(fake, "config", replace(fake.config, timeout=500))
        with pytest.raises(ToolFailed, match=r"^MCP server fake: .*no answer within 0\.5 s"):
            tools["fake_wait"].run({}, call)
    assert tools["fake_echo"].run({"text": "alive"}, call).output == "alive"


def test_a_server_is_ended_and_started_again_at_request(servers, call):
    ready(servers)
    servers.switch("fake", "/", on=False)
    assert servers.status("/")["fake"] == {"status": "disabled"}
    assert servers.tools("/") == {}
    servers.switch("fake", "/", on=True)
    assert ready(servers)["fake_echo"].run({"text": "again"}, call).output == "again"
    assert (servers.has_tool("fake_echo"), servers.has_tool("fake_none")) == (True, False)
    with pytest.raises(UnknownServer, match="'other' does not exist in /"):
        servers.switch("other", "/", on=True)


@pytest.mark.parametrize("tool", ["fake_flood", "fake_line"])
def test_a_server_that_floods_is_an_error(call, tool):
    others = processes_of_servers()
    local = LocalServer(command=FAKE, timeout=500)
    servers = McpServers({"fake": local}, PROCESSES)
    try:
        tools = ready(servers)
        with pytest.raises(ToolFailed, match=r"^MCP server fake: "):
            tools[tool].run({}, call)
    finally:
        servers.close()
    wait_until(lambda: processes_of_servers() <= others)


def processes_of_servers():
    numbers = descendants.descendants(os.getpid())
    return {pid for pid in numbers if f"{MARK}=" in environment_of(pid)}


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ") as file:
            return file.read()
    except OSError:
        return ""


def test_a_server_at_a_url_is_called_with_its_headers(call):
    with subprocess.Popen([*FAKE, "http"], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
            remote = RemoteServer(url=url, headers={"X-Key": "secret"})
            servers = McpServers({}, PROCESSES)
            servers.add("web", remote, "/here")
            servers.add("locked", RemoteServer(url=url), "/here")
            assert servers.status("/there") == {}
            tools = ready(servers, "web", "/here")
            assert tools["web_echo"].run({"text": "hello"}, call).output == "hello"
            wait_until(lambda: servers.status("/here")["locked"].get("error") or gevent.sleep(0.1))
            assert servers.status("/here")["locked"]["status"] == "failed"
            servers.close()
        finally:
            process.kill()


def test_a_command_that_does_not_exist_is_a_failed_server():
    servers = McpServers({"none": LocalServer(command=["/no/such/program"])}, PROCESSES)
    wait_until(
        lambda: (
            "No such file" in servers.status("/")["none"].get("error", "") or gevent.sleep(0.1)
        ),
        DEADLINE_S,
    )
    assert servers.tools("/") == {}
    servers.close()


def test_names_are_as_providers_take_them():
    assert tool_name("my server", "do.it") == "my_server_do_it"
    long = tool_name("s" * 50, "t" * 50)
    assert len(long) == 64
    assert long != tool_name("s" * 50, "t" * 49 + "u")


def test_a_file_names_servers_and_variables(tmp_path):
    file = tmp_path / "mcp.json"
    config = {
        "mcp": {"a": {"type": "remote", "url": "http://h/", "headers": {"X": "k {env:KEY}"}}}
    }
    file.write_text(json.dumps({**config, "theme": "other settings"}))
    assert servers_in(file, {"KEY": 'a"b'})["a"].headers == {"X": 'k a"b'}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "truncated"),
        ("{}", "mcp"),
        ('{"mcp":{"a":{"type":"local"}}}', "command"),
        ('{"mcp":{"a":{"type":"other"}}}', "other"),
        ('{"mcp":{"a":{"type":"remote","url":"ftp://x"}}}', "$.mcp[...].url"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, text, words):
    file = tmp_path / "mcp.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadFlag) as refused:
        servers_in(file, {})
    assert str(refused.value).startswith(f"--mcp-config: {str(file)!r}")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
