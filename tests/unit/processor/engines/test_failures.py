import email.utils
import time

import pytest

from processor.engines.failures import MAX_RETRY_AFTER_S, ProviderRefusal, refused, retry_after
from processor.engines.provider import MAX_ERROR_BYTES

URL = "http://127.0.0.1:9911/v1/chat/completions"


def refusal(status: int, body: str, **headers: str) -> ProviderRefusal:
    return ProviderRefusal(status, {k.replace("_", "-"): v for k, v in headers.items()}, body, URL)


def test_a_refusal_has_the_recorded_shape() -> None:
    body = '{"error": {"message": "bad request by script", "type": "x", "code": "scripted"}}'
    error = refused(refusal(400, body, Content_Length="100"), "fake")
    assert error.failure.name == "APIError"
    assert error.failure.data == {
        "message": "bad request by script",
        "statusCode": 400,
        "isRetryable": False,
        "responseHeaders": {"content-length": "100"},
        "responseBody": body,
        "metadata": {"url": URL},
    }


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (404, False), (408, True), (429, True), (500, True), (501, False), (503, True)],
)
def test_what_may_pass_is_retryable(status: int, retryable: bool) -> None:
    error = refused(refusal(status, "{}"), "fake")
    assert error.retryable is retryable
    assert error.failure.data["isRetryable"] is retryable
    assert error.message == f"the provider answered {status}"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_an_auth_error(status: int) -> None:
    error = refused(refusal(status, '{"error":"no key"}'), "fake")
    assert error.failure.name == "ProviderAuthError"
    assert error.failure.data == {"providerID": "fake", "message": "no key"}


@pytest.mark.parametrize(
    "body",
    [
        '{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}',
        '{"error":{"code":"context_length_exceeded","message":"x"}}',
        '{"message":"prompt is too long: 9 tokens"}',
    ],
)
def test_a_full_context_is_an_error_of_its_own(body: str) -> None:
    assert refused(refusal(400, body), "fake").failure.name == "ContextOverflowError"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error":{"message":"a"}}', "a"),
        ('{"error":"b"}', "b"),
        ('{"detail":"c"}', "c"),
        ("<html>", "the provider answered 400"),
        ("<html><style>a{}</style><h1>Bad\n gateway</h1></html>", "Bad gateway"),
        ("over\x1b[2Jloaded", "over [2Jloaded"),
        ('[{"error":{"message":"d"}}]', "d"),
        ('{"detail":[{"loc":["body","messages",0],"msg":"e"}]}', "body.messages.0: e"),
        ('{"errors":["f",{"message":"g"}]}', "f; g"),
        ('{"error":{"code":1}}', "the provider answered 400"),
    ],
)
def test_the_message_is_found_wherever_servers_put_it(body: str, message: str) -> None:
    assert refused(refusal(400, body), "fake").message == message


def test_cookies_of_a_provider_are_not_passed_on() -> None:
    error = refused(refusal(400, "{}", Set_Cookie="secret"), "fake")
    assert error.failure.data["responseHeaders"] == {}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "999999"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"retry-after": "1 Jan 999999999999 00:00"}, None),
        ({"retry-after": "9" * 400}, MAX_RETRY_AFTER_S),
        ({"retry-after-ms": "9" * 400}, MAX_RETRY_AFTER_S),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_come_back_at_is_understood() -> None:
    began = time.time()
    asked = retry_after({"retry-after": email.utils.formatdate(began + 20, usegmt=True)})
    assert asked is not None
    # The date has no fraction of a second.
    assert 19 - (time.time() - began) <= asked <= 20


@pytest.mark.parametrize(
    "piece", ["<script>", "<", "<style", "data:", "[", "error: ", "<!--", "\n"]
)
def test_a_body_of_any_form_takes_linear_time(piece: str) -> None:
    began = time.process_time()
    refused(refusal(400, (piece * MAX_ERROR_BYTES)[:MAX_ERROR_BYTES]), "fake")
    assert time.process_time() - began < 2
