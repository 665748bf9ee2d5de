"""What a line says."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acp_client.protocol import jsonrpc
from acp_client.protocol.jsonrpc import Invalid, Notification, Response, RpcError, RpcRequest


def line(**fields):
    return json.dumps({"jsonrpc": "2.0", **fields}).encode()


@pytest.mark.parametrize("id_", [1, 0, -7, "a", None])
def test_a_request_has_an_id(id_):
    got = jsonrpc.parse(line(id=id_, method="initialize", params={"a": 1}))
    assert got == RpcRequest(id_, "initialize", msgspec.Raw(b'{"a": 1}'))


def test_a_notification_has_none():
    assert isinstance(jsonrpc.parse(line(method="session/cancel")), Notification)


def test_an_answer_has_a_result_or_an_error():
    assert jsonrpc.parse(line(id=1, result=None)) == Response(1, msgspec.Raw(b"null"))
    got = jsonrpc.parse(line(id=1, error={"code": -32601, "message": "no", "data": 1}))
    assert (got.error.code, got.error.message, got.error.data) == (-32601, "no", 1)
    got = jsonrpc.parse(line(id=1, error="nonsense"))
    assert got.error.code == jsonrpc.INTERNAL_ERROR


@pytest.mark.parametrize("blank", [b"", b"  ", b"\t"])
def test_a_blank_line_says_nothing(blank):
    assert jsonrpc.parse(blank) is None


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\xff\xfe", b"{", b'{"jsonrpc":"2.0","id":1,', b"nonsense", b'{"a":"\xff"}', b"42 43"],
)
def test_what_is_no_json_is_a_parse_error(garbage):
    got = jsonrpc.parse(garbage)
    assert (got.id, got.error.code) == (None, jsonrpc.PARSE_ERROR)


@pytest.mark.parametrize("params", [b'"a\tb"', b'{"n": NaN}', b'"\xff"'])
def test_what_is_nearly_json_is_answered_under_its_id(params):
    got = jsonrpc.parse(b'{"jsonrpc":"2.0","id":7,"method":"m","params":%b}' % params)
    assert (got.id, got.error.code) == (7, jsonrpc.PARSE_ERROR)


def test_a_byte_order_mark_says_nothing():
    assert jsonrpc.parse(b"\xef\xbb\xbf" + line(id=1, method="m")).id == 1
    assert jsonrpc.parse(b"\xef\xbb\xbf") is None


@pytest.mark.parametrize(
    ("garbage", "id_"),
    [
        (b"42", None),
        (b"[]", None),
        (b"null", None),
        (b'"x"', None),
        (b"{}", None),
        (line(id=1), 1),
        (line(id=1, method=7), 1),
        (line(id=True, method="x"), None),
        (line(id=[1], method="x"), None),
        (line(id=1.5, method="x"), None),
        (b'{"id":3,"method":"initialize"}', 3),
        (b'{"jsonrpc":"1.0","id":3,"method":"initialize"}', 3),
        (line(result=1), None),
    ],
)
def test_json_that_is_no_message_is_an_invalid_request(garbage, id_):
    got = jsonrpc.parse(garbage)
    assert (got.id, got.error.code) == (id_, jsonrpc.INVALID_REQUEST)


LONE = ["\\ud800", "\\uDC00", "\\ud83d x", "\\ude00\\ud83d", "\\ud800\\n", "\\\\\\ud800"]


@pytest.mark.parametrize("lone", LONE)
@pytest.mark.parametrize(
    "where",
    [
        '{"jsonrpc":"2.0","id":7,"method":"m","params":{"text":"%s"}}',
        '{"jsonrpc":"2.0","id":7,"method":"m","params":{"_meta":[{"%s":1}]}}',
        '{"jsonrpc":"2.0","_meta":"%s","id":7,"method":"m","params":{}}',
        '{"params":{},"id":7,"method":"m%s","jsonrpc":"2.0"}',
    ],
)
def test_half_a_surrogate_pair_anywhere_leaves_a_request_with_its_id(lone, where):
    got = jsonrpc.parse((where % lone).encode())
    assert isinstance(got, RpcRequest)
    assert (got.id, got.method[0]) == (7, "m")
    json.loads(bytes(got.params)).__repr__().encode()


def test_halves_become_replacement_characters_and_pairs_stay():
    said = rb"\ud83d\ude00 \ud83d \ude00\ud83d \\ud800 \n"
    got = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":["' + said + b'"]}')
    assert json.loads(bytes(got.params)) == ["😀 \ufffd \ufffd\ufffd \\ud800 \n"]
    answer = jsonrpc.parse(rb'{"jsonrpc":"2.0","id":1,"result":"\udfff"}')
    assert bytes(answer.result) == b'"\xef\xbf\xbd"'
    said = jsonrpc.parse(rb'{"jsonrpc":"2.0","method":"session/cancel","params":{"a":"\udfff"}}')
    assert isinstance(said, Notification)


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_a_request_that_is_not_utf_8_is_refused_under_its_id(bad):
    got = jsonrpc.parse(b'{"jsonrpc":"2.0","id":"a","method":"m","params":["' + bad + b'"]}')
    assert (got.id, got.error.code) == ("a", jsonrpc.PARSE_ERROR)
    assert "UTF-8" in got.error.message


def nested(depth, **fields):
    return line(**fields)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("depth", [256, 970, 1500, 100_000])
def test_what_is_nested_too_deep_is_refused_under_its_id(depth):
    got = jsonrpc.parse(nested(depth, id=7, method="session/prompt"))
    assert (got.id, got.error.code) == (7, jsonrpc.INVALID_REQUEST)
    assert got.error.message == "nested deeper than 256 levels"
    got = jsonrpc.parse(nested(depth, id=7, result=1))
    assert isinstance(got, Response)
    assert (got.id, got.error.message) == (7, "nested deeper than 256 levels")
    got = jsonrpc.parse(nested(depth, method="session/cancel"))
    assert (got.id, got.error.message) == (None, "nested deeper than 256 levels")


def test_what_is_just_deep_enough_is_taken():
    assert isinstance(jsonrpc.parse(nested(255, id=7, method="x")), RpcRequest)


def test_brackets_without_end_are_a_parse_error():
    got = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"x","x":' + b"[" * 100_000)
    assert got.error.code == jsonrpc.PARSE_ERROR


@given(st.binary(max_size=40))
def test_no_line_raises(data):
    got = jsonrpc.parse(data)
    assert got is None or isinstance(got, RpcRequest | Notification | Response | Invalid)


def test_lines_are_single_lines():
    for written in (
        jsonrpc.request(1, "m", {"a": "b\nc"}),
        jsonrpc.notification("m", {}),
        jsonrpc.result(None, {}),
        jsonrpc.error(2, RpcError(-1, "two\nlines")),
    ):
        assert written.count(b"\n") == 1
        assert json.loads(written)["jsonrpc"] == "2.0"
    assert json.loads(jsonrpc.result(None, None)) == {"jsonrpc": "2.0", "id": None, "result": None}
