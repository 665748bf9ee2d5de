"""Whatever bytes arrive: never a 500, always JSON."""

import json

from falcon.testing import TestClient
from hypothesis import example, given
from hypothesis import strategies as st

from bus.commands import Prompt
from tests.fakes.requester import ScriptedRequester, native_app

BODIES_OF = [
    ("POST", "/session"),
    ("PATCH", "/session/ses_1"),
    ("POST", "/session/ses_1/message"),
    ("POST", "/session/ses_1/prompt_async"),
    ("POST", "/session/ses_1/abort"),
]
FIELDS = [
    "parts",
    "type",
    "text",
    "file",
    "mime",
    "url",
    "title",
    "metadata",
    "time",
    "archived",
    "model",
    "modelID",
    "noReply",
    "parentID",
]


class Processor(ScriptedRequester):
    """Takes whatever the gateway lets through."""

    def call(self, command, deadline_s=None):
        self.answers.append(b'{"messageID":"msg_1"}' if isinstance(command, Prompt) else b"{}")
        return super().call(command, deadline_s)


CLIENT = TestClient(native_app(Processor()))

words = st.sampled_from(FIELDS) | st.text(max_size=5)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
prompts = st.builds(
    lambda text, rest: {"title": "a", **rest, "parts": [{"type": "text", "text": text}]},
    words,
    objects,
)
bodies = st.binary(max_size=200) | (objects | prompts).map(json.dumps).map(str.encode)


@given(route=st.sampled_from(BODIES_OF), body=bodies, content_type=st.none() | st.just("a/b"))
@example(route=BODIES_OF[0], body=b'{"metadata":{"a":1e999}}', content_type=None)
@example(route=BODIES_OF[0], body=b'{"metadata":{"a":-99999999999999999999}}', content_type=None)
@example(route=BODIES_OF[1], body=b'{"title":"\xed\xa0\x80"}', content_type=None)
@example(route=BODIES_OF[1], body=b'{"metadata":' + b'{"a":' * 50_000, content_type=None)
def test_any_body_gets_json_and_never_a_500(route, body, content_type):
    method, path = route
    result = CLIENT.simulate_request(method, path, body=body, content_type=content_type)
    assert result.status_code in (200, 204, 400)
    if result.status_code != 204:
        assert result.headers["content-type"] == "application/json"
        json.loads(result.content)


@given(
    parameter=st.sampled_from(["directory", "limit", "start", "roots", "before", "scope"]),
    value=st.binary(max_size=30),
    path=st.sampled_from(["/session", "/session/ses_1/message", "/config", "/session/status"]),
)
def test_any_query_gets_json_and_never_a_500(parameter, value, path):
    escaped = "".join(f"%{byte:02X}" for byte in value)
    result = CLIENT.simulate_get(path, query_string=f"{parameter}={escaped}")
    assert result.status_code in (200, 400)
    assert result.headers["content-type"] == "application/json"
    json.loads(result.content)
