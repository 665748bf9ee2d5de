"""The agents under test: a command, an environment, and the server whose sessions they tell of."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.blackbox.weir_up import NO_TWINS
from tests.opencode import home
from tests.opencode.api import Api
from tests.opencode.install import VERSION, binary
from tests.processes import ROOT, free_port


class Agent(NamedTuple):
    """A program that an editor launches.

    Attributes:
        name: as a test is called.
        command: its words.
        env: all of its environment.
        directory: of its sessions.
        api: REST of the server that it talks to.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    api: Api


def ours(name: str, url: str, directory: Path, *, through: str | None = None) -> Agent:
    """Return weir's agent at a server; `through` is where a proxy of that server listens."""
    words = ("--server", through or url, "--directory", str(directory))
    env = {**os.environ, **NO_TWINS, "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "acp_client", *words)
    return Agent(name, command, env, directory, Api(url, str(directory)))


def theirs(
    folder: Path, provider_url: str, version: str = VERSION, through: str | None = None
) -> Agent:
    """Return opencode's own agent, which is its own server; it lives in `folder`.

    Args:
        folder: of its home, its settings and its project; made here.
        provider_url: of the scripted provider.
        version: of those that `tests.opencode.install` knows.
        through: where a proxy listens that its requests, to itself also, go through.

    Raises:
        NotInstalled: this machine cannot have it.
    """
    port = free_port()
    env = {**home.environment(folder), **home.configured(folder, provider_url)}
    if through is not None:
        env |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), through)
        del env["NO_PROXY"], env["no_proxy"]
    command = (str(binary(version)), "acp", "--port", str(port))
    directory = home.project(folder / "project")
    api = Api(f"http://127.0.0.1:{port}", str(directory))
    return Agent(f"opencode {version}", command, env, directory, api)
