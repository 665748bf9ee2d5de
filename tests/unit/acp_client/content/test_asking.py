"""Permissions and questions, to the editor and back."""

import msgspec
import pytest

from acp_client.content import permission, question
from acp_client.protocol.wire import PermissionRequest, QuestionRequest

ASKED = msgspec.convert(
    {
        "id": "per_1",
        "sessionID": "ses_child",
        "permission": "bash",
        "patterns": ["ls"],
        "metadata": {"command": "ls -l"},
        "tool": {"messageID": "msg_1", "callID": "call_1"},
    },
    PermissionRequest,
)
OPTIONS = [{"label": "A", "description": "first"}, {"label": "B", "description": "second"}]
QUESTION = msgspec.convert(
    {
        "id": "que_1",
        "sessionID": "ses_1",
        "questions": [
            {"question": "Which?", "header": "Pick", "options": OPTIONS},
            {"question": "What else?", "header": "More", "options": OPTIONS, "multiple": True},
        ],
        "tool": {"callID": "call_1"},
    },
    QuestionRequest,
)


def test_a_permission_is_put_in_the_name_of_the_editors_session():
    asked = permission.question(ASKED, "ses_root", "/srv")
    assert asked["sessionId"] == "ses_root"
    assert asked["toolCall"] == {
        "toolCallId": "call_1",
        "title": "ls -l",
        "kind": "execute",
        "rawInput": {"command": "ls -l"},
    }
    kinds = [option["kind"] for option in asked["options"]]
    assert kinds == ["allow_once", "allow_always", "reject_once"]


def test_a_permission_without_a_command_says_what_it_is_for():
    asked = PermissionRequest("per_1", "ses_1", "external_directory", ["/etc/*", "/var/*"])
    call = permission.question(asked, "ses_1", "/srv")["toolCall"]
    assert (call["title"], call["toolCallId"]) == ("external_directory /etc/*, /var/*", "per_1")


@pytest.mark.parametrize(
    ("result", "word"),
    [
        ({"outcome": {"outcome": "selected", "optionId": "once"}}, "once"),
        ({"outcome": {"outcome": "selected", "optionId": "always"}}, "always"),
        ({"outcome": {"outcome": "selected", "optionId": "reject"}}, "reject"),
        ({"outcome": {"outcome": "selected", "optionId": "whatever"}}, "reject"),
        ({"outcome": {"outcome": "cancelled"}}, "reject"),
        ({"outcome": {"outcome": "cancelled", "optionId": "once"}}, "reject"),
        ({}, "reject"),
        (None, "reject"),
        ("once", "reject"),
    ],
)
def test_whatever_is_no_leave_is_a_refusal(result, word):
    assert permission.reply(result) == word


def test_a_question_is_a_form():
    form = question.form(QUESTION, "ses_1")
    fields = form["requestedSchema"]["properties"]
    assert form["message"] == "Which?\nWhat else?"
    assert form["toolCallId"] == "call_1"
    assert [option["const"] for option in fields["0"]["oneOf"]] == ["A", "B"]
    assert fields["1"]["type"] == "array"


@pytest.mark.parametrize(
    ("result", "answers"),
    [
        ({"action": "accept", "content": {"0": "A", "1": ["A", "B"]}}, [["A"], ["A", "B"]]),
        ({"action": "accept", "content": {"0": "A"}}, [["A"], []]),
        ({"action": "accept"}, [[], []]),
        ({"action": "decline"}, None),
        (None, None),
    ],
)
def test_answers_are_labels_for_each_question(result, answers):
    assert question.answers(QUESTION, result) == answers
