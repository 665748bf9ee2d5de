"""The proxy to a model, as the environment names it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blackbox.processor_driver import processor, refused
from tests.fakes.forward_proxy import ForwardProxy, forward_proxy
from tests.fakes.process import Provider


@pytest.fixture
def proxy(provider: Provider) -> Iterator[ForwardProxy]:
    with forward_proxy(provider.url) as running:
        yield running


def answer(folder: Path, url: str, **env: str) -> tuple[dict[str, Any], str]:
    """Return the answer to a prompt, and the log."""
    flags = ["--model-url", url, "--model", "m1", "--model-retries", "0"]
    with processor(folder, *flags, **env) as running:
        return running.turn(running.session(), "hello"), running.log


def test_a_model_is_asked_through_the_proxy_with_its_login(
    tmp_path: Path, proxy: ForwardProxy
) -> None:
    url = "http://model.invalid/v1"
    said, log = answer(tmp_path, url, HTTP_PROXY=f"http://me:p%40ss@{proxy.place}")
    assert said["info"]["finish"] == "stop"
    assert proxy.seen == [("POST", f"{url}/chat/completions", "Basic bWU6cEBzcw==")]
    assert f"through the proxy http://{proxy.place}" in log
    assert "ss@" not in log


def test_a_tunnel_that_a_proxy_refuses_is_said(tmp_path: Path, proxy: ForwardProxy) -> None:
    said, _ = answer(tmp_path, "https://model.invalid/v1", all_proxy=proxy.place)
    assert proxy.seen == [("CONNECT", "model.invalid:443", None)]
    message = said["info"]["error"]["data"]["message"]
    assert f"no connection to the provider through the proxy http://{proxy.place}: " in message
    assert "403" in message


def test_what_is_listed_is_asked_without_the_proxy(
    tmp_path: Path, proxy: ForwardProxy, provider: Provider
) -> None:
    said, _ = answer(tmp_path, provider.url, HTTP_PROXY=proxy.place, NO_PROXY="127.0.0.0/8")
    assert said["info"]["finish"] == "stop"
    assert proxy.seen == []


def test_a_proxy_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    flags = ["--bus", f"ipc://{tmp_path}", "--state", str(tmp_path)]
    flags += ["--model-url", "https://h/v1", "--model", "m"]
    status, said = refused(*flags, HTTPS_PROXY="socks5://me:secret@p:1")
    assert status == 2
    assert said.count("\n") == 1
    assert "HTTPS_PROXY: a socks5 proxy cannot be used" in said
    assert "secret" not in said
