"""Which ids the body of a scoped request for an upstream may have."""

import json
from types import SimpleNamespace

import pytest

from bus.events.catalogue import MESSAGE, PART
from gateway.access.body_ids import BodyIds, is_new
from gateway.access.boundary import Boundary
from gateway.access.rules import Rules
from gateway.access.whereabouts import Whereabouts
from gateway.door.head import parse
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.relay.scope import Scope

NOW_MS = 1_795_859_104_059
SCOPE = Scope(("/in/**",))
RULES = Rules(True)
FOLDERS = {"ses_in": "/in", "ses_near": "/in/near", "ses_out": "/out"}


def made(kind, ms=NOW_MS, tail="0" * 14):
    """Return an id as opencode makes it at a time."""
    return f"{kind}_{ms * 4096 % 2**48:012x}{tail}"


OLD = NOW_MS - 3_600_000
STORED, STORED_PART = made("msg", OLD), made("prt", OLD)
KNOWN = {
    "ses_in": {(MESSAGE.name, made("msg", tail="in" * 7)): None},
    "ses_out": {
        (MESSAGE.name, made("msg", tail="ou" * 7)): None,
        (PART.name, made("prt", tail="ou" * 7)): None,
    },
}
PROMPT = "/session/ses_in/message"


def message_of(session, message):
    """Answer as an upstream with one message; a tool's input names a part of another session."""
    part = {"id": STORED_PART, "state": {"input": {"id": made("prt", OLD, "x" * 14)}}}
    found = {"info": {"id": STORED}, "parts": [part]}
    return json.dumps(found).encode() if (session, message) == ("ses_in", STORED) else None


def ids_of(most):
    where = Whereabouts({}, FOLDERS.get)
    boundary = Boundary(where, lambda: "/in", str)
    sessions = {name: SimpleNamespace(entries=known) for name, known in KNOWN.items()}
    ledgers = {"a": SimpleNamespace(sessions=sessions)}
    return BodyIds(boundary, ledgers, message_of, most, "--bound", lambda: NOW_MS / 1000)


def sent(target, body, *headers, ids=None):
    """Check a request, and return it; the bytes of another request follow its body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = headers or (f"Content-Length: {len(data)}",)
    if "Transfer-Encoding: chunked" in given:
        chunk = b"%x;a=b\r\n%b\r\n" % (len(data), data) if data else b""
        data = chunk + b"0\r\nX: y\r\n\r\n"
    sockets = SimpleNamespace(address="192.0.2.1", ahead=bytearray(data + b"GET /next"))
    sockets.lane = SimpleNamespace(gather=None)
    lines = "\r\n".join((f"POST {target} HTTP/1.1", "Host: a", "X: 1", *given))
    one = Request(parse(lines.encode()), sockets)
    (ids or ids_of(100_000)).check(one, RULES.of("POST", one.path), SCOPE)
    return one


@pytest.mark.parametrize("end", ["passed on", "freed", None])
def test_bodies_that_are_not_passed_on_yet_have_a_bound_together(end):
    ids, body = ids_of(100_000), b'{"a": "%b"}' % (90_000 * b"x")
    held = [sent(PROMPT, body, ids=ids) for _ in range(2)]
    sent(PROMPT, {"parts": []}, ids=ids)  # a small body always has room
    if end == "passed on":
        assert b"".join(held[0].body.pieces()) == body
    elif end == "freed":
        ids.free(held[0])
    if end is not None:
        sent(PROMPT, body, ids=ids)
        return
    with pytest.raises(Refusal) as refused:
        sent(PROMPT, body, ids=ids)
    assert refused.value.status == 503


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (PROMPT, {"parts": [{"type": "text", "text": "a"}]}),
        (PROMPT, {"messageID": None, "parts": "odd"}),
        (PROMPT, {"messageID": made("msg"), "parts": [{"id": made("prt")}]}),
        (PROMPT, {"messageID": made("msg", NOW_MS + 300_000)}),
        (PROMPT, {"messageID": made("msg", tail="in" * 7)}),
        (PROMPT, {"parts": [{"text": "\ud83d"}]}),
        ("/session/ses_in/revert", {"messageID": STORED, "partID": STORED_PART}),
        ("/session", {"parentID": "ses_near"}),
        ("/session", {}),
        ("/session", b""),
        ("/api/session/ses_in/prompt", {"id": made("msg"), "prompt": {"text": "a"}}),
    ],
)
@pytest.mark.parametrize("headers", [(), ("Transfer-Encoding: chunked",)])
def test_a_body_with_ids_of_its_session_passes_unchanged(target, body, headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    one = sent(target, data, *headers)
    assert b"".join(one.body.pieces()) == data
    assert one.body.ended
    assert one.wire.ahead == b"GET /next"
    assert one.framed_by == ((b"Content-Length", b"%d" % len(data)) if data else None)
    assert [name for name, _ in one.headers] == [b"Host", b"X"] or not headers


OF_OTHERS = [
    (PROMPT, {"messageID": made("msg", tail="ou" * 7)}, "messageID"),
    (PROMPT, {"parts": [{}, {"id": made("prt", tail="ou" * 7)}]}, r"parts\[1\].id"),
    (PROMPT, {"messageID": made("msg", OLD, "x" * 14)}, "messageID"),
    (PROMPT, {"messageID": "msg_1"}, "messageID"),
    (PROMPT, {"messageID": "../../../session/ses_out"}, "messageID"),
    (PROMPT, {"parts": [{"sessionID": "ses_out"}]}, "ses_out"),
    (PROMPT, {"parts": [{"messageID": made("msg", tail="ou" * 7)}]}, "messageID"),
    (
        "/session/ses_in/revert",
        {"messageID": STORED, "partID": made("prt", OLD, "x" * 14)},
        "part",
    ),
    ("/session/ses_in/fork", {"messageID": made("msg", OLD, "x" * 14)}, "messageID"),
    ("/session", {"parentID": "ses_out"}, "ses_out"),
    ("/session", {"parentID": "ses_none"}, "ses_none"),
    ("/session", {"workspaceID": "wrk_1"}, "workspaceID"),
    ("/session", {"directory": "/out"}, "directory"),
    ("/session", b'{"parentID": "ses_in", "parent\\u0049D": "ses_out"}', "ses_out"),
    ("/api/session/ses_in/prompt", {"id": made("msg", tail="ou" * 7)}, "id"),
]


@pytest.mark.parametrize(("target", "body", "words"), OF_OTHERS)
def test_a_body_with_ids_of_another_session_is_refused(target, body, words):
    with pytest.raises(Refusal, match=words) as refused:
        sent(target, body)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[]", (), 400),
        (b"{", (), 400),
        (b'\xef\xbb\xbf{"parentID":"ses_out"}', (), 400),
        (b"parentID=ses_out", (), 400),
        (b'{"messageID": 1}', (), 400),
        (b'{"a":' + 300 * b"[" + 300 * b"]" + b"}", (), 400),
        (b'{"a": "%b"}' % (200_000 * b"x"), (), 413),
        (b'{"a": "%b"}' % (200_000 * b"x"), ("Transfer-Encoding: chunked",), 413),
    ],
)
def test_a_body_that_cannot_be_checked_is_refused(body, headers, status):
    with pytest.raises(Refusal) as refused:
        sent(PROMPT, body, *headers)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("item", "new"),
    [
        (made("msg"), True),
        (made("prt", NOW_MS - 2**36), True),  # the ids begin again
        (made("msg", NOW_MS - 590_000), True),
        (made("msg", NOW_MS - 610_000), False),
        (made("msg", NOW_MS + 610_000), False),
        (made("ses"), False),
        ("msg_1", False),
        (f"{made('msg')}\n", False),
        ("", False),
    ],
)
def test_an_id_is_new_if_its_time_is_the_present(item, new):
    assert is_new(item, NOW_MS / 1000) is new
