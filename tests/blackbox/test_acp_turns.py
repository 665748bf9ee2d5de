"""Turns through the agent: what the editor is told, in what order, what the server is asked."""

from tests.acp_editor import agent
from tests.blackbox.acp_turn import aborted, in_mid_turn, running
from tests.fakes.agent_server import (
    answered,
    delta,
    info,
    status,
    text,
    updated,
)
from tests.processes import wait_until

ALLOW = {"outcome": {"outcome": "selected", "optionId": "once"}}
CALL = {"messageID": "msg_11", "callID": "call_1"}


def asked_permission(session, id_="per_1"):
    properties = {"id": id_, "sessionID": session, "permission": "bash", "patterns": ["ls"]}
    properties |= {"metadata": {"command": "ls"}, "always": [], "tool": CALL}
    return {"type": "permission.asked", "properties": properties}


def test_all_is_told_before_the_answer_and_nothing_is_asked_for(server, editor):
    session = editor.start()
    words = " ".join(f"word{n}" for n in range(10_000))
    server.on_prompt = lambda session, body: server.publish(*answered(session, words))
    before = len(server.asked)
    answer = editor.answer(editor.prompt(session, "hi"))
    assert answer["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == words
    assert server.asked[before:] == [f"POST /session/{session}/prompt_async"]


def test_a_prompt_carries_the_model_and_the_mode(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(*answered(session, "ok"))
    params = {"sessionId": session, "configId": "model", "value": "fake/m2"}
    options = editor.call("session/set_config_option", params)["result"]["configOptions"]
    assert [one["currentValue"] for one in options] == ["fake/m2", "build"]
    assert (
        editor.call("session/set_mode", {"sessionId": session, "modeId": "plan"})["result"] == {}
    )
    editor.answer(editor.prompt(session, "hi"))
    assert server.bodies[-1] == {
        "parts": [{"type": "text", "text": "hi"}],
        "model": {"providerID": "fake", "modelID": "m2"},
        "agent": "plan",
    }
    assert editor.told("config_option_update")[0]["configOptions"][1]["currentValue"] == "plan"
    params = {"sessionId": session, "configId": "mode", "value": "build"}
    assert "result" in editor.call("session/set_config_option", params)
    editor.until(lambda: editor.told("current_mode_update"))


def test_nothing_is_told_of_a_session_before_the_editor_knows_it(server, editor):
    def commands(body):
        renamed = {"sessionID": "ses_1", "info": {**server.sessions["ses_1"], "title": "Early"}}
        server.publish({"type": "session.updated", "properties": renamed})
        return [{"name": "init", "description": "sets up"}]

    server.answers["GET /command"] = commands
    editor.call("initialize", {"protocolVersion": 1})
    id_ = editor.send("session/new", {"cwd": "/srv", "mcpServers": []})
    lines = [editor.next() for _ in range(3)]
    assert lines[0]["id"] == id_
    kinds = {line["params"]["update"]["sessionUpdate"] for line in lines[1:]}
    assert kinds == {"available_commands_update", "session_info_update"}


def test_an_idle_of_an_earlier_turn_is_not_its_own(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(status(session))
    id_ = editor.prompt(session, "hi")
    server.wait_done(f"POST /session/{session}/prompt_async")
    server.publish(*answered(session, "now"))
    assert "result" in editor.answer(id_)
    assert editor.said(session) == "now"


def test_a_delta_whose_message_nobody_told_is_asked_for_once(server, editor):
    session = editor.start()
    server.messages[session] = [
        {"info": info(session, "msg_11"), "parts": [text(session, "msg_11", "prt_11", "")]}
    ]
    path = f"GET /session/{session}/message/msg_11"

    def prompt(session, body):
        server.publish(updated(info(session, "msg_10", "user")), status(session, "busy"))
        server.publish(*(delta(session, "msg_11", "prt_11", "x") for _ in range(100)))

    server.on_prompt = prompt
    id_ = editor.prompt(session, "hi")
    server.wait_done(path)
    server.publish(*(delta(session, "msg_11", "prt_11", "y") for _ in range(100)))
    whole = "x" * 100 + "y" * 100
    server.publish(updated(text(session, "msg_11", "prt_11", whole, done=True)))
    server.publish(updated(info(session, "msg_11", done=True)), status(session))
    assert "result" in editor.answer(id_)
    assert editor.said(session) == whole
    assert server.count(path) == 1


def test_a_second_prompt_in_a_turn_is_refused(server, editor):
    session = editor.start()
    first = editor.prompt(session, "one")
    assert editor.answer(editor.prompt(session, "two"))["error"]["code"] == -32600
    server.publish(*answered(session, "ok"))
    assert "result" in editor.answer(first)


def test_a_failed_turn_is_an_error_in_words(server, editor):
    session = editor.start()
    error = {"name": "APIError", "data": {"message": "no such model"}}
    server.on_prompt = lambda session, body: server.publish(
        updated(info(session, "msg_10", "user")),
        updated(info(session, "msg_11")),
        {"type": "session.error", "properties": {"sessionID": session, "error": error}},
        status(session),
        updated(info(session, "msg_11", done=True, error=error)),
        status(session),
    )
    problem = editor.answer(editor.prompt(session, "hi"))["error"]
    assert (problem["code"], problem["message"]) == (-32603, "no such model")


def test_a_prompt_that_fails_before_its_message_is_an_error_too(server, editor):
    session = editor.start()
    error = {"name": "UnknownError", "data": {"message": "no such agent"}}
    server.on_prompt = lambda session, body: server.publish(
        {"type": "session.error", "properties": {"sessionID": session, "error": error}}
    )
    assert editor.answer(editor.prompt(session, "hi"))["error"]["message"] == "no such agent"


def test_a_prompt_that_the_server_refuses_is_an_error(server, editor):
    session = editor.start()
    path = f"POST /session/{session}/prompt_async"
    server.answers[path] = 400, {"name": "BadRequest", "data": {"message": "too long"}}
    assert "too long" in editor.answer(editor.prompt(session, "hi"))["error"]["message"]
    del server.answers[path]
    server.on_prompt = lambda session, body: server.publish(*answered(session, "ok"))
    assert "result" in editor.answer(editor.prompt(session, "again"))


def test_leave_is_asked_for_while_the_stream_flows_on(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(
        *running(session), asked_permission(session), delta(session, "msg_11", "prt_11", " on")
    )
    id_ = editor.prompt(session, "hi")
    editor.until(lambda: editor.asks and editor.said(session).endswith("on"))
    [ask] = editor.asks
    assert ask["method"] == "session/request_permission"
    assert ask["params"]["sessionId"] == session
    editor.reply(ask, result=ALLOW)
    server.wait_done("POST /permission/per_1/reply")
    assert server.bodies[-1] == {"reply": "once"}
    server.publish(*answered(session, "never ending on")[7:])
    assert "result" in editor.answer(id_)


def test_a_refusal_or_an_error_of_the_editor_is_a_refusal(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(
        *running(session), asked_permission(session, "per_1"), asked_permission(session, "per_2")
    )
    id_ = editor.prompt(session, "hi")
    editor.until(lambda: len(editor.asks) == 2)
    editor.reply(editor.asks[0], error={"code": -32601, "message": "no"})
    editor.reply(editor.asks[1], result={"outcome": {"outcome": "cancelled"}})
    wait_until(lambda: sum("/reply" in one for one in server.asked) == 2, what="two replies")
    assert server.bodies[-2:] == [{"reply": "reject"}] * 2
    server.publish(*answered(session, "never ending")[6:])
    assert "result" in editor.answer(id_)


def test_what_somebody_else_answers_is_withdrawn(server, editor):
    session = editor.start()
    server.publish(asked_permission(session))
    editor.until(lambda: editor.asks)
    replied = {"sessionID": session, "requestID": "per_1", "reply": "once"}
    server.publish({"type": "permission.replied", "properties": replied})
    editor.until(lambda: editor.withdrawn)
    assert editor.withdrawn == [editor.asks[0]["id"]]
    editor.answer_ask = lambda ask: ALLOW
    server.publish(asked_permission(session, "per_2"))
    editor.until(lambda: len(editor.asks) == 2)
    server.wait_done("POST /permission/per_2/reply")
    assert server.count("POST /permission/per_1/reply") == 0


def test_a_subagents_ask_is_put_to_its_root(server, editor):
    session = editor.start()
    child = server.made("/srv", parentID=session)
    grandchild = server.made("/srv", parentID=child["id"])
    server.publish(asked_permission(grandchild["id"]))
    editor.answer_ask = lambda ask: ALLOW
    editor.until(lambda: editor.asks)
    assert editor.asks[0]["params"]["sessionId"] == session
    server.wait_done("POST /permission/per_1/reply")
    tool = {"id": "prt_9", "messageID": "msg_9", "sessionID": grandchild["id"], "type": "tool"}
    tool |= {"callID": "call_1", "tool": "bash", "state": {"status": "completed", "output": "x"}}
    server.publish(updated(tool))
    [update] = editor.until(lambda: editor.told("tool_call_update"))
    assert (update["toolCallId"], update["status"]) == ("call_1", "completed")


def test_what_strangers_ask_is_none_of_its_business(server, editor):
    session = editor.start()
    stranger = server.made("/srv")
    server.publish(asked_permission(stranger["id"], "per_1"), asked_permission(session, "per_2"))
    editor.until(lambda: editor.asks)
    assert [one["params"]["sessionId"] for one in editor.asks] == [session]


def test_a_question_is_put_as_a_form_or_rejected(server):
    options = [{"label": "A", "description": "first"}, {"label": "B", "description": "second"}]
    question = {"question": "Which?", "header": "Pick", "options": options}

    def asked(session):
        properties = {"id": "que_1", "sessionID": session, "questions": [question], "tool": CALL}
        return {"type": "question.asked", "properties": properties}

    with agent(server.url) as plain:
        server.publish(asked(plain.start()))
        server.wait_done("POST /question/que_1/reject")
        assert plain.asks == []
    server.cut()  # so that the next event waits for the stream of the next agent
    with agent(server.url) as able:
        able.answer_ask = lambda ask: {"action": "accept", "content": {"0": "B"}}
        server.publish(asked(able.start(elicitation={"form": {}})))
        able.until(lambda: able.asks)
        server.wait_done("POST /question/que_1/reply")
    assert {"answers": [["B"]]} in server.bodies


def test_a_cancelled_turn_settles_what_is_asked_and_answers_cancelled(server, editor):
    session = editor.start()
    server.answers[f"POST /session/{session}/abort"] = lambda body: aborted(server, session)
    server.on_prompt = lambda session, body: server.publish(
        *running(session), asked_permission(session)
    )
    id_ = editor.prompt(session, "hi")
    editor.until(lambda: editor.asks)
    editor.tell("session/cancel", {"sessionId": session})
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}
    assert editor.said(session) == "never late"
    editor.until(lambda: editor.withdrawn)
    server.wait_done("POST /permission/per_1/reply")
    assert {"reply": "reject"} in server.bodies


def test_a_first_idle_before_the_last_words_is_not_the_end(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(*running(session), status(session))
    id_ = editor.prompt(session, "hi")
    renamed = {"sessionID": session, "info": {**server.sessions[session], "title": "Meanwhile"}}
    server.wait_done(f"POST /session/{session}/prompt_async")
    server.publish({"type": "session.updated", "properties": renamed})
    editor.until(lambda: editor.told("session_info_update"))
    editor.call("initialize", {"protocolVersion": 1})
    assert not editor.is_answered(id_)
    aborted(server, session)
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}
    assert editor.said(session) == "never late"


def test_a_cancelled_request_is_a_cancelled_turn(server, editor):
    _, id_ = in_mid_turn(server, editor)
    editor.tell("$/cancel_request", {"requestId": id_})
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}


def test_a_cancel_that_overtakes_its_prompt_is_asked_for_again(server, editor):
    session = editor.start()
    path = f"POST /session/{session}/abort"

    def abort(body):
        if server.count(path) == 2:
            server.publish(*running(session))
            aborted(server, session)
        return True

    server.answers[path] = abort
    id_ = editor.prompt(session, "hi")
    server.wait_done(f"POST /session/{session}/prompt_async")
    editor.tell("session/cancel", {"sessionId": session})
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}
    assert server.count(path) >= 2  # once more for each second that the end takes


def test_a_late_idle_of_a_cancelled_turn_does_not_end_the_next(server, editor):
    session, id_ = in_mid_turn(server, editor)
    editor.tell("session/cancel", {"sessionId": session})
    editor.answer(id_)
    server.on_prompt = lambda session, body: server.publish(
        status(session), *answered(session, "second", n=2)
    )
    editor.updates.clear()
    assert editor.answer(editor.prompt(session, "again"))["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "second"


def test_slash_commands_run_and_unknown_ones_are_text(server, editor):
    server.answers["GET /command"] = [{"name": "init"}]
    session = editor.start()
    editor.until(lambda: editor.told("available_commands_update"))
    path = f"POST /session/{session}/command"
    server.answers[path] = lambda body: server.publish(*answered(session, "done")) or {}
    assert "result" in editor.answer(editor.prompt(session, "/init all of it"))
    sent = {"command": "init", "arguments": "all of it", "agent": "build", "model": "fake/m1"}
    assert sent in server.bodies
    server.on_prompt = lambda session, body: server.publish(*answered(session, "text", n=2))
    assert "result" in editor.answer(editor.prompt(session, "/nosuchcommand"))
    assert server.bodies[-1]["parts"] == [{"type": "text", "text": "/nosuchcommand"}]


def test_the_editors_own_tools_are_left_alone_unless_it_offers_them(server, editor):
    session = editor.start(fs={"readTextFile": False, "writeTextFile": False}, terminal=False)
    editor.answer_ask = lambda ask: ALLOW
    asked = asked_permission(session)
    asked["properties"] |= {"permission": "edit", "metadata": {"filepath": "/x", "diff": "@@"}}
    server.on_prompt = lambda session, body: server.publish(
        *running(session), asked, *answered(session, "never ending")[6:]
    )
    assert "result" in editor.answer(editor.prompt(session, "hi"))
    server.wait_done("POST /permission/per_1/reply")
    assert {ask["method"] for ask in editor.asks} <= {"session/request_permission"}
