"""`GET /doc` against a running weir: no answer but those of the document, and no 5xx."""

import json
import re
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator

from tests.blackbox.native import HERE
from tests.blackbox.weir_up import prompt
from tests.fuzz import fuzzed

ODD = (None, b"{", b"[]", b"{}", b'{"parts":[],"title":5}')
MAY_BE_ODD = {"501", "503"}
"""Summaries and tools that are switched off, and a store or a turn that is not there."""


@pytest.fixture(scope="module")
def doc(up):
    return up.patiently("GET", "/doc").body


def shape(doc, said, status):
    answer = said["responses"][status]
    if "$ref" in answer:
        answer = doc["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content = answer.get("content")
    return None if content is None else content["application/json"]["schema"]


def checked(doc, said, reply, what):
    status = str(reply.status)
    assert status in said["responses"], f"{what}: {status} is not documented: {reply.body}"
    assert status < "500" or status in MAY_BE_ODD, f"{what}: {status} {reply.body}"
    schema = shape(doc, said, status)
    if schema is not None:
        whole = {**schema, "components": doc["components"]}
        errors = [error.message for error in Draft202012Validator(whole).iter_errors(reply.body)]
        assert not errors, f"{what}: {errors[:1]}"


def asked(said):
    """Yield queries: none, and for each parameter a value that fits and odd values."""
    yield ""
    for one in said["parameters"]:
        if one["in"] != "query":
            continue
        fits = one["schema"].get("enum", ["1"])[0]
        for value in (fits, "-1", "\0ü", "9" * 20):
            yield urlencode({one["name"]: value})


def test_no_request_gets_an_answer_that_is_not_documented(up, doc):
    session = up.session(HERE)
    message = up.call("POST", f"/session/{session}/message", prompt("here", noReply=True)).body
    ids = {
        "session": (session, "ses_x"),
        "message": (message["info"]["id"], "msg_x"),
        "part": (message["parts"][0]["id"], "prt_x"),
    }
    count = 0
    for template, methods in doc["paths"].items():
        for method, said in sorted(methods.items(), reverse=True):
            names = re.findall(r"{(\w+)}", template)
            for real in (True, False):
                words = {name: ids.get(name, ("x", "x"))[not real] for name in names}
                path = template.format(**words)
                if method == "delete" and real and template == "/session/{session}":
                    continue  # the session that everything else is about
                bodies = ODD if "requestBody" in said else (None,)
                for query in asked(said):
                    for body in bodies if not query else bodies[-1:]:
                        what = f"{method} {path}?{query} {body!r}"
                        reply = up.call(method.upper(), f"{path}?{query}", body)
                        checked(doc, said, reply, what)
                        count += 1
                if not names:
                    break
    assert count > 200
    assert json.dumps(doc).count('"operationId"') == sum(map(len, doc["paths"].values()))


def test_schemathesis_finds_no_answer_that_is_not_documented(up, tmp_path):
    run = fuzzed(up.url, tmp_path, "--seed", "1", "--max-examples", "2", "--phases", "fuzzing")
    assert run.returncode == 0, run.stdout
