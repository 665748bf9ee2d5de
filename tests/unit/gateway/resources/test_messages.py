"""Messages over HTTP: pages and their cursors, prompts, waiting, stopping."""

from urllib.parse import parse_qs, urlsplit

import pytest

from bus.answers import CommandFailed
from bus.bodies import FileInput, ModelInput, PromptBody, TextInput
from bus.commands import Abort, MessageGet, MessageList, Prompt, TurnWait
from bus.transport.requester import DeadlineExceeded, ProcessorGone
from tests.fakes.requester import native

PROMPT = '{"parts":[{"type":"text","text":"hello"}]}'
QUEUED = b'{"messageID":"msg_1"}'
ANSWER = b'{"info":{"id":"msg_2"},"parts":[]}'


def test_list_without_parameters_asks_for_everything():
    client, requester = native(b"[]")
    result = client.simulate_get("/session/ses_1/message")
    assert result.content == b"[]"
    assert requester.commands == [MessageList("ses_1", None, None)]
    assert "link" not in result.headers
    assert "x-next-cursor" not in result.headers


def test_a_cursor_leads_to_the_page_before():
    client, requester = native((b"[]", "eyJ+/="))
    query = "limit=2&before=later&directory=/a%20b"
    result = client.simulate_get("/session/ses_1/message", query_string=query)
    assert requester.commands == [MessageList("ses_1", 2, "later")]
    assert result.headers["x-next-cursor"] == "eyJ+/="
    exposed = result.headers["access-control-expose-headers"].split(", ")
    assert {"Link", "X-Next-Cursor"} <= set(exposed)

    target, rel = result.headers["link"].split("; ")
    assert rel == 'rel="next"'
    link = urlsplit(target.strip("<>"))
    assert link.path == "/session/ses_1/message"
    assert parse_qs(link.query) == {
        "limit": ["2"],
        "before": ["eyJ+/="],
        "directory": ["/a b"],
    }


@pytest.mark.parametrize("host", ["evil.example", "evil.example:1>; rel=x, <http://b", ""])
def test_a_forged_host_is_in_no_link(host):
    forged = {"Host": host, "X-Forwarded-Host": host, "Forwarded": f'host="{host}"'}
    links = []
    for headers in ({}, forged):
        client, _ = native((b"[]", "later"))
        result = client.simulate_get("/session/ses_1/message", headers=headers)
        links.append(result.headers["link"])
    assert links == ['</session/ses_1/message?before=later>; rel="next"'] * 2


def test_following_the_link_gives_the_cursor_back():
    client, requester = native((b"[]", "a+b/c="), b"[]")
    first = client.simulate_get("/session/ses_1/message", query_string="limit=2")
    link = urlsplit(first.headers["link"].split(">")[0].strip("<"))
    client.simulate_get(link.path, query_string=link.query)
    assert requester.commands[1] == MessageList("ses_1", 2, "a+b/c=")


def test_before_without_limit_is_refused():
    client, requester = native()
    result = client.simulate_get("/session/ses_1/message", query_string="before=abc")
    assert result.status_code == 400
    assert result.json["data"]["field"] == "before"
    assert requester.commands == []


def test_get_one():
    client, requester = native(ANSWER)
    assert client.simulate_get("/session/ses_1/message/msg_2").content == ANSWER
    assert requester.commands == [MessageGet("ses_1", "msg_2")]


def test_a_prompt_waits_as_long_as_the_turn_runs():
    client, requester = native(QUEUED, b"null", b"null", ANSWER)
    result = client.simulate_post("/session/ses_1/message", body=PROMPT)
    assert result.status_code == 200
    assert result.content == ANSWER
    wait = TurnWait("ses_1", "msg_1", 20_000)
    body = PromptBody(parts=[TextInput(text="hello")])
    assert requester.commands == [Prompt("ses_1", body), wait, wait, wait]
    assert all(deadline > 20 for deadline in requester.deadlines[1:])


def test_every_field_of_a_prompt_arrives():
    client, requester = native(QUEUED, ANSWER)
    client.simulate_post(
        "/session/ses_1/message",
        json={
            "messageID": "msg_9",
            "model": {"providerID": "p", "modelID": "m"},
            "agent": "build",
            "system": "be brief",
            "variant": "high",
            "tools": {"bash": False},
            "parts": [{"type": "file", "mime": "text/plain", "url": "data:,a", "unknown": 1}],
        },
    )
    assert requester.commands[0] == Prompt(
        "ses_1",
        PromptBody(
            messageID="msg_9",
            model=ModelInput("p", "m"),
            agent="build",
            system="be brief",
            variant="high",
            tools={"bash": False},
            parts=[FileInput(mime="text/plain", url="data:,a")],
        ),
    )


def test_a_prompt_without_reply_answers_the_users_message():
    client, requester = native(QUEUED, ANSWER)
    body = '{"noReply":true,"parts":[{"type":"text","text":"hello"}]}'
    assert client.simulate_post("/session/ses_1/message", body=body).content == ANSWER
    assert requester.commands[1] == MessageGet("ses_1", "msg_1")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProcessorGone("the processor no longer answers"), 503),
        (DeadlineExceeded("no answer"), 504),
        (CommandFailed("not_found", "session ses_1 is gone"), 404),
    ],
)
def test_a_wait_that_fails_ends_the_request(error, status):
    client, _ = native(QUEUED, b"null", error)
    result = client.simulate_post("/session/ses_1/message", body=PROMPT)
    assert result.status_code == status
    assert result.headers["content-type"] == "application/json"


def test_prompt_async_answers_at_once_with_nothing():
    client, requester = native(QUEUED)
    result = client.simulate_post("/session/ses_1/prompt_async", body=PROMPT)
    assert result.status_code == 204
    assert result.content == b""
    assert requester.commands == [Prompt("ses_1", PromptBody(parts=[TextInput(text="hello")]))]


def test_abort_answers_true_and_reads_no_body():
    client, requester = native(b"true")
    result = client.simulate_post("/session/ses_1/abort", body=b"\xff")
    assert result.content == b"true"
    assert requester.commands == [Abort("ses_1")]
