import pytest

from processor.tools.tool import CallRefused, ToolFailed


def test_todos_replace_the_list_in_opencodes_shape(run, call):
    outcome = run("todowrite", todos=[{"content": "one", "status": "pending", "id": "1"}])
    item = {"content": "one", "status": "pending", "priority": "medium"}
    assert outcome.title == "1 todos"
    assert outcome.metadata == {"todos": [item], "truncated": False}
    assert [todo.content for todo in call.todo] == ["one"]
    with pytest.raises(ToolFailed, match=r"\$\.todos\[0\]\.status"):
        run("todowrite", todos=[{"content": "one", "status": "later"}])


def test_a_question_brings_the_answers(run, call):
    call.answers = [["A"], []]
    options = [{"label": "A", "description": "first"}]
    questions = [
        {"question": "Which?", "header": "Pick", "options": options},
        {"question": "And?"},
    ]
    outcome = run("question", questions=questions)
    assert outcome.title == "Asked 2 questions"
    assert outcome.metadata["answers"] == [["A"], []]
    assert '"Which?"="A", "And?"="Unanswered"' in outcome.output
    with pytest.raises(ToolFailed, match="questions"):
        run("question", questions=[])


def test_a_task_runs_in_a_child_session(run, call):
    arguments = {"description": "Look", "prompt": "Look at it", "subagent_type": "general"}
    outcome = run("task", **arguments)
    assert call.children == [("Look at it", "general", "Look", None)]
    assert call.asked() == [("task", ["general"])]
    assert outcome.metadata["sessionId"] == "ses_child"
    assert "<task_result>\nchild says so\n</task_result>" in outcome.output
    call.denied.add("task")
    with pytest.raises(CallRefused):
        run("task", **arguments)


def test_every_tool_has_a_schema_that_providers_take(tools):
    expected = "bash edit glob grep question read task todowrite webfetch write"
    assert sorted(tools) == expected.split()
    for tool in tools.values():
        assert tool.parameters["type"] == "object"
        assert tool.description
