"""A server that is away: at launch, in mid-prompt, for a moment, or for good."""

import threading

from tests.acp_editor import agent
from tests.fakes.agent_server import agent_server, answered, delta, info, status, text, updated
from tests.processes import DEADLINE_S, free_port

BEFORE_THE_STREAM_IS_LOST_S = 30.0
"""A stream that is silent for 35 s is opened anew, and all is fetched then."""
HISTORY = "GET /session/{}/message"


def begun(session):
    """The events of a turn up to half of its text."""
    return answered(session, "one two three four")[:7]


def stored(session, words, done):
    return [
        {"info": info(session, "msg_10", "user"), "parts": []},
        {
            "info": info(session, "msg_11", done=done, finish="stop" if done else None),
            "parts": [text(session, "msg_11", "prt_11", words, done)],
        },
    ]


def cut_in_mid_turn(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(*begun(session))
    server.busy.add(session)
    id_ = editor.prompt(session, "hi")
    editor.until(lambda: editor.said(session) == "one two")
    return session, id_


def test_after_a_cut_that_is_resumed_nothing_is_asked_for(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.resumed = True
    before = len(server.asked)
    server.cut()
    server.publish(*answered(session, "one two three four")[7:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"
    assert server.asked[before:] == []


def test_what_a_cut_has_hidden_is_told_when_the_turn_goes_on(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "", done=False)
    server.cut()
    server.publish(delta(session, "msg_11", "prt_11", "four"))
    server.wait_done(HISTORY.format(session))
    server.publish(*answered(session, "one two three four")[9:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"
    # At the connection, and at its first event: before that, an opencode may not listen yet. If
    # that event comes while the first is fetched, it is fetched once more.
    assert server.count(HISTORY.format(session)) in (2, 3)
    assert server.count("GET /session/status") in (2, 3)


def test_a_turn_that_ended_before_the_server_listened_to_itself_is_answered(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "", done=False)
    server.cut()
    server.wait_done(HISTORY.format(session))
    server.messages[session] = stored(session, "one two three four", done=True)
    server.busy.clear()
    server.publish({"type": "server.heartbeat", "properties": {}})
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_a_turn_that_began_and_ended_before_the_server_listened_to_itself_is_answered(
    server, editor
):
    session = editor.start()

    def unheard(session, body):
        server.messages[session] = stored(session, "one two three four", done=True)

    server.on_prompt = unheard
    id_ = editor.prompt(session, "hi")
    server.wait_done(f"POST /session/{session}/prompt_async")
    server.publish({"type": "server.heartbeat", "properties": {}})
    assert editor.answer(id_, BEFORE_THE_STREAM_IS_LOST_S)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_a_turn_whose_prompt_is_the_first_event_of_a_connection_asks_for_nothing(server, editor):
    session = editor.start()
    server.on_prompt = lambda session, body: server.publish(*answered(session, "one two"))
    assert editor.answer(editor.prompt(session, "hi"))["result"] == {"stopReason": "end_turn"}
    assert server.count(HISTORY.format(session)) == 0


def test_a_turn_that_ended_behind_a_cut_is_answered(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "one two three four", done=True)
    server.busy.clear()
    server.cut()
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_a_server_that_upserts_what_it_knows_heals_the_text(server, editor):
    """weir, when it no longer has the reader's place."""
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "", done=False)
    server.resumed = False
    server.cut()
    server.publish(
        status(session, "busy"),
        updated(info(session, "msg_10", "user")),
        updated(info(session, "msg_11")),
        updated(text(session, "msg_11", "prt_11", "one two three ")),
    )
    server.publish(delta(session, "msg_11", "prt_11", "four"))
    editor.until(lambda: editor.said(session) == "one two three four")
    server.publish(*answered(session, "one two three four")[9:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_an_idle_upsert_does_not_end_the_turn_before_its_text(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "one two three four", done=True)
    server.busy.clear()
    server.resumed = False
    server.cut()
    server.publish(
        status(session, "idle"),
        updated(info(session, "msg_11", done=True, finish="stop")),
        updated(text(session, "msg_11", "prt_11", "one two three four", done=True)),
    )
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_a_turn_that_its_server_lost_is_an_error_in_words(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.messages[session] = stored(session, "", done=False)
    server.busy.clear()
    server.cut()
    assert "cut off" in editor.answer(id_)["error"]["message"]
    server.on_prompt = lambda session, body: server.publish(*answered(session, "ok", n=2))
    assert "result" in editor.answer(editor.prompt(session, "again"))


def test_a_prompt_that_its_server_lost_is_an_error_in_words(server, editor):
    session = editor.start()
    id_ = editor.prompt(session, "hi")
    server.wait_done(f"POST /session/{session}/prompt_async")
    server.cut()
    assert "send it again" in editor.answer(id_)["error"]["message"]


def test_a_prompt_whose_answer_is_lost_goes_on_if_the_server_has_it(server, editor):
    session = editor.start()
    server.mute = True
    server.on_prompt = lambda session, body: server.publish(*answered(session, "one two"))
    assert editor.answer(editor.prompt(session, "hi"))["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two"
    assert server.count(f"POST /session/{session}/prompt_async") == 1


def test_a_prompt_whose_answer_is_lost_is_looked_for_where_it_is_stored(server, editor):
    session = editor.start()
    server.mute = True

    def took(session, body):
        server.messages[session] = stored(session, "one two", done=True)

    server.on_prompt = took
    assert editor.answer(editor.prompt(session, "hi"))["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two"
    assert server.count(f"POST /session/{session}/prompt_async") == 1


def test_an_idle_from_before_the_prompt_does_not_end_it(server, editor):
    session = editor.start()
    turn = answered(session, "one two three four")
    asked = f"POST /session/{session}/prompt_async"

    def late(body):
        if server.count("GET /session/status") == 1:
            server.publish(*turn[:2])  # and what follows is still on its way
        return {}

    server.answers["GET /session/status"] = late
    id_ = editor.prompt(session, "hi")
    server.wait_done(asked)
    server.messages[session] = stored(session, "", done=False)[:1]
    server.cut()
    server.wait_done(HISTORY.format(session))
    server.publish(*turn[2:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_a_busy_that_is_older_than_the_idle_does_not_outlive_it(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    meanwhile(server, editor, session, answered(session, "one two three four")[9:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four"


def test_what_a_cut_has_hidden_is_told_before_what_comes_after_it(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    more = answered(session, " five six", n=2)[3:]
    meanwhile(server, editor, session, more[:-3])
    server.publish(*more[-3:])
    assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
    assert editor.said(session) == "one two three four five six"


def meanwhile(server, editor, session, events):
    """Cut the stream, and say events while the agent waits for what it has missed."""
    asked = {"type": "permission.asked", "properties": {"id": "per_1", "sessionID": session}}
    heard = threading.Event()

    def history(body):
        if not heard.is_set():
            server.publish(*events, asked)
        assert heard.wait(DEADLINE_S)
        return stored(session, "one two three four", done=True)

    server.answers[HISTORY.format(session)] = history
    server.cut()
    editor.until(lambda: editor.asks)
    heard.set()


def test_a_server_that_is_not_there_is_said_in_words_and_waited_for():
    port = free_port()
    with agent(f"http://127.0.0.1:{port}") as editor:
        editor.call("initialize", {"protocolVersion": 1})
        refused = editor.call("session/new", {"cwd": "/srv", "mcpServers": []})["error"]
        assert f"http://127.0.0.1:{port} refuses connections" in refused["message"]
        with agent_server(port) as server:
            session = editor.new()
            server.on_prompt = lambda session, body: server.publish(*answered(session, "ok"))
            assert "result" in editor.answer(editor.prompt(session, "hi"))
            assert editor.said(session) == "ok"


def test_a_server_that_goes_in_mid_prompt_is_said_in_words_and_taken_up_again(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.close()
    thought = "agent_thought_chunk"
    editor.until(lambda: "No connection" in editor.said(session, thought))
    with agent_server(server.port) as second:
        second.sessions.update(server.sessions)
        second.messages[session] = stored(session, "one two three four", done=True)
        assert editor.answer(id_)["result"] == {"stopReason": "end_turn"}
        assert editor.said(session) == "one two three four"
        assert editor.said(session, thought).endswith("again.")


def test_an_editor_that_shows_notices_gets_them(server, editor):
    session = editor.start(session={"notices": {}})
    server.on_prompt = lambda session, body: server.publish(*begun(session))
    editor.prompt(session, "hi")
    editor.until(lambda: editor.said(session) == "one two")
    server.close()
    [notice] = editor.until(lambda: editor.told("notice"))
    assert notice["severity"] == "warning"
    assert editor.said(session, "agent_thought_chunk") == ""


def test_a_cancel_without_a_server_is_answered_all_the_same(server, editor):
    session, id_ = cut_in_mid_turn(server, editor)
    server.close()
    editor.tell("session/cancel", {"sessionId": session})
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}


def test_a_prompt_finds_a_server_that_is_back_at_once(server, editor):
    session = editor.start()
    server.close()
    with agent_server(server.port) as other:
        other.sessions.update(server.sessions)
        other.on_prompt = lambda session, body: other.publish(*answered(session, "ok"))
        assert "result" in editor.answer(editor.prompt(session, "hi"))


def test_turns_stop_when_the_editor_goes(server):
    with agent(server.url) as editor:
        session, _ = cut_in_mid_turn(server, editor)
        path = f"POST /session/{session}/abort"
        server.answers[path] = lambda body: server.publish(status(session)) or True
        editor.process.stdin.close()
        editor.process.wait(DEADLINE_S)
    assert server.count(path) >= 1
