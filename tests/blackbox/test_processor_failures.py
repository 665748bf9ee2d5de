"""Everything a provider may do wrong, and what the session's readers are told."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bus.commands import Abort
from tests.blackbox.processor_driver import Processor, processor
from tests.fakes.process import Provider
from tests.processes import free_port

KEY = "sk-this-is-the-key"


@pytest.fixture(scope="module")
def model(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processor]:
    flags = ["--model-url", provider.url, "--model", "m1", "--model-retries", "3"]
    flags += ["--log-level", "debug"]
    folder = tmp_path_factory.mktemp("model")
    with processor(folder, *flags, WEIR_MODEL_API_KEY=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processor]:
    """One that does not wait for long."""
    flags = ["--model-url", provider.url, "--model", "m1", "--model-read-timeout", "2.5"]
    with processor(tmp_path_factory.mktemp("hasty"), *flags) as running:
        yield running


def failed(model: Processor, prompt: str) -> tuple[dict[str, Any], list[str]]:
    """Return the error of a turn that must fail, and the texts of its parts."""
    session = model.session()
    answer = model.turn(session, prompt)
    events = model.until_idle(session, 2)
    told = [e.properties["error"] for e in events if e.type == "session.error"]
    assert told == [answer["info"]["error"]]
    assert "completed" in answer["info"]["time"]
    for part in answer["parts"]:
        assert part["type"] == "step-start" or "end" in part["time"]
    texts = [part["text"] for part in answer["parts"] if part["type"] == "text"]
    assert texts == (["".join(model.deltas(session))] if model.deltas(session) else [])
    return answer["info"]["error"], texts


def retries(model: Processor, session: str) -> list[dict[str, Any]]:
    statuses = [e.properties["status"] for e in model.heard(session) if e.type == "session.status"]
    return [status for status in statuses if status["type"] == "retry"]


def test_a_cut_in_mid_chunk_keeps_what_came(model: Processor) -> None:
    error, texts = failed(model, "cut 20")
    assert error["name"] == "APIError"
    assert "cut" in error["data"]["message"]
    assert len(texts[0]) == 20 * 40


def test_bad_json_keeps_what_came(model: Processor) -> None:
    error, texts = failed(model, "badjson 20")
    assert error["name"] == "APIError"
    assert "not a completion" in error["data"]["message"]
    assert len(texts[0]) == 20 * 40


def test_a_provider_that_falls_silent_is_left_after_the_read_timeout(
    hasty: Processor, provider: Provider
) -> None:
    start = time.monotonic()
    error, texts = failed(hasty, "hang 20")
    assert time.monotonic() - start > 2
    assert "nothing for 2.5 s" in error["data"]["message"]
    assert len(texts[0]) == 20 * 40
    provider.wait_for(lambda seen: any(r["prompt"] == "hang 20" and r["aborted"] for r in seen))


def test_a_provider_that_never_answers_is_left_after_the_read_timeout(hasty: Processor) -> None:
    error, texts = failed(hasty, "silent")
    assert "nothing for 2.5 s" in error["data"]["message"]
    assert texts == []


def test_a_refusal_is_told_as_opencode_tells_it(model: Processor) -> None:
    error, _ = failed(model, "error 400 bad request by script")
    assert error["name"] == "APIError"
    data = error["data"]
    assert (data["message"], data["statusCode"]) == ("bad request by script", 400)
    assert data["isRetryable"] is False
    assert "bad request by script" in data["responseBody"]
    assert data["metadata"]["url"].endswith("/v1/chat/completions")


def test_a_refused_key_is_an_auth_error_without_the_key(model: Processor) -> None:
    error, _ = failed(model, f"error 401 no such key: {KEY}")
    assert error["name"] == "ProviderAuthError"
    assert error["data"]["message"] == "no such key: [key]"
    log = model.log
    assert "no such key" in log
    assert KEY not in log


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_may_pass_is_tried_again(model: Processor, status: int) -> None:
    session = model.session()
    answer = model.turn(session, f"flaky {status} 2 then 5")
    assert answer["info"]["finish"] == "stop"
    assert "error" not in answer["info"]
    model.until_idle(session)
    assert [(r["attempt"], r["message"]) for r in retries(model, session)] == [
        (1, "attempt 1 of 2"),
        (2, "attempt 2 of 2"),
    ]
    assert len(model.deltas(session)) == 5


def test_an_abort_ends_the_wait_for_another_attempt(model: Processor) -> None:
    session = model.session()
    prompt = model.prompt(session, "later 120")
    model.ears.until(lambda: retries(model, session))
    assert model.ask(Abort(session)) is True
    assert model.wait(session, prompt)["info"]["error"]["name"] == "MessageAbortedError"


def test_attempts_come_to_an_end(model: Processor, provider: Provider) -> None:
    error, _ = failed(model, "flaky 500 9 then 5")
    assert error["data"]["statusCode"] == 500
    assert error["data"]["isRetryable"] is True
    asked = [r for r in provider.requests() if r["prompt"] == "flaky 500 9 then 5"]
    assert len(asked) == 4


def test_a_cut_is_not_tried_again_once_the_model_has_spoken(
    model: Processor, provider: Provider
) -> None:
    failed(model, "cutonce 3")
    assert len([r for r in provider.requests() if r["prompt"] == "cutonce 3"]) == 1


def test_the_turn_after_a_failure_works(model: Processor) -> None:
    session = model.session()
    model.turn(session, "cut 3")
    assert model.turn(session, "storm 5 40")["info"]["finish"] == "stop"


def test_nothing_is_logged_by_the_delta(model: Processor) -> None:
    session = model.session()
    before = len(model.log)
    model.turn(session, "storm 2000 40")
    assert len(model.log[before:].splitlines()) < 20


def test_a_provider_that_is_not_there_is_tried_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    flags = ["--model-url", url, "--model", "m1", "--model-retries", "1"]
    with processor(tmp_path_factory.mktemp("gone"), *flags) as running:
        session = running.session()
        error = running.turn(session, "hello")["info"]["error"]
        assert "no connection" in error["data"]["message"]
        running.until_idle(session, 2)
        [retry] = retries(running, session)
        assert retry["attempt"] == 1
        assert retry["next"] > 1_700_000_000_000
