"""Bodies that are wrong: refused with the field, the value and what is allowed."""

import io

import msgspec
import pytest

from gateway.resources.body import MAX_BODY_BYTES
from tests.fakes.requester import native

TEXT = '{"parts":[{"type":"text","text":"hello"}]}'


def post(body, path="/session/ses_1/message", **request):
    client, requester = native()
    result = client.simulate_post(path, body=body, **request)
    assert requester.commands == []
    assert result.headers["content-type"] == "application/json"
    return result


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ("{}", "parts", "missing required field"),
        ('{"parts":3}', "parts", "Expected `array`, got `int`"),
        ('{"parts":[]}', "parts", "length >= 1"),
        ('{"parts":[3]}', "parts[0]", "Expected `object`, got `int`"),
        ('{"parts":[{"type":"text"}]}', "parts[0].text", "missing required field"),
        ('{"parts":[{"type":"text","text":3}]}', "parts[0].text", "Expected `str`, got `int`"),
        ('{"parts":[{"text":"a"}]}', "parts[0].type", "allowed: text, file"),
        ('{"parts":[{"type":"txt"}]}', "parts[0].type", "Invalid value 'txt'; allowed: text,"),
        ('{"parts":[{"type":1}]}', "parts[0].type", "allowed: text, file"),
        ('{"parts":[{"type":" - at `$.x`"}]}', "parts[0].type", "Invalid value ' - at `$.x`'"),
        ('{"parts":[],"model":{"modelID":"m"}}', "parts", "length >= 1"),
        ('{"model":{"modelID":"m"}}', "model.providerID", "missing required field"),
        ('{"tools":{"bash":1}}', "tools[...]", "Expected `bool`, got `int`"),
        ('{"messageID":""}', "messageID", "length >= 1"),
    ],
)
def test_a_wrong_field_is_named(body, field, words):
    result = post(body)
    assert result.status_code == 400
    assert result.json["data"]["field"] == field
    assert result.json["data"]["kind"] == "Body"
    message = result.json["data"]["message"]
    assert message.startswith(f"{field}: ")
    assert words in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"hello", "the body is not JSON"),
        (b"parts=hello", "the body is not JSON"),
        (TEXT.encode() + b"}", "the body is not JSON"),
        (TEXT.encode()[:-1], "the body is not JSON"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "the body is not JSON"),
        (TEXT.replace("hello", "\\ud800").encode()[:-1], "the body is not JSON"),
        (TEXT.encode("utf-16"), "the body is not JSON"),
        (TEXT.encode().replace(b"hello", b"\xff"), "the body is not UTF-8"),
        (b"[]", "the body: Expected `object`, got `array`"),
        (b"null", "the body: Expected `object`, got `null`"),
        (b'{"x":' + b"[" * 256 + b"]" * 256 + b"}", "the body is nested deeper than 256 levels"),
        (b'{"x":' + b"[" * 967 + b"]" * 967 + b"}", "the body is nested deeper than 256 levels"),
        (b'{"x":' + b"[" * 100_000, "the body is nested deeper than 256 levels"),
    ],
)
def test_what_is_no_json_object_is_refused_in_words(body, words):
    result = post(body)
    assert result.status_code == 400
    assert words in result.json["data"]["message"]
    assert result.json["data"]["kind"] == "Body"
    assert "field" not in result.json["data"]


def test_an_integer_that_the_bus_cannot_carry_is_refused():
    result = post('{"metadata":{"n":123456789012345678901234567890}}', path="/session")
    assert result.status_code == 400
    assert "64 bits" in result.json["data"]["message"]


def test_an_announced_length_over_the_limit_is_refused_unread():
    body = io.BytesIO(b"{}")
    result = post(None, extras={"wsgi.input": body, "CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)})
    assert result.status_code == 413
    assert str(MAX_BODY_BYTES) in result.json["data"]["message"]
    assert body.tell() == 0


def test_chunks_over_the_limit_are_refused():
    class Endless(io.BytesIO):
        def read(self, size):
            return b" " * size

    result = post(None, extras={"wsgi.input": Endless(), "wsgi.input_terminated": True})
    assert result.status_code == 413


def test_a_body_in_chunks_is_read_to_its_end():
    client, requester = native(b'{"messageID":"msg_1"}')
    result = client.simulate_post(
        "/session/ses_1/prompt_async",
        extras={"wsgi.input": io.BytesIO(TEXT.encode()), "wsgi.input_terminated": True},
    )
    assert result.status_code == 204
    assert requester.commands[0].body.parts[0].text == "hello"


def test_a_body_of_no_known_length_is_not_waited_for():
    class Hanging(io.BytesIO):
        def read(self, size):
            raise AssertionError("a read would wait for ever")

    client, _ = native(b"{}")
    result = client.simulate_post("/session", extras={"wsgi.input": Hanging()})
    assert result.status_code == 200


def test_a_body_that_ends_early_is_refused():
    extras = {"wsgi.input": io.BytesIO(b'{"parts'), "CONTENT_LENGTH": "40"}
    result = post(None, extras=extras)
    assert result.status_code == 400
    assert "after 7 of 40 bytes" in result.json["data"]["message"]


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), RuntimeError("bad chunk size")])
def test_a_body_that_the_server_cannot_read_is_refused(error):
    class Broken(io.BytesIO):
        def read(self, size):
            raise error

    result = post(None, extras={"wsgi.input": Broken(), "wsgi.input_terminated": True})
    assert result.status_code == 400
    assert str(error) in result.json["data"]["message"]


LONE = "a\\ud800 \\udc00\\ud83d \\ud83d\\ude00"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/session/ses_1/message", TEXT.replace("hello", LONE)),
        ("/session/ses_1/prompt_async", TEXT[:-1] + f',"system":"{LONE}"' + "}"),
        ("/session", f'{{"title":"{LONE}","metadata":{{"{LONE}":["{LONE}"]}}}}'),
        ("/session", f'{{"unknown":"{LONE}"}}'),
    ],
)
def test_half_a_surrogate_pair_is_read_as_a_replacement_character(path, body):
    client, requester = native()
    client.simulate_post(path, body=body.encode())
    [command] = requester.commands
    sent = msgspec.json.encode(command).decode()
    assert ("a\ufffd \ufffd\ufffd 😀" in sent) is ("unknown" not in body)
