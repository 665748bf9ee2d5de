"""The reference reducer against what a real opencode stored.

Every recording ends with the server's own account of its sessions. Both are compared as parsed
JSON: the stream and the REST reply differ in the order of keys and in nothing else, bar the one
loss that `test_text_of_an_abort_that_the_old_server_never_stored` pins down.
"""

import pytest

from tests import recorded
from tests.reference import State, fold

OLD_ABORT = "old-1.2.27/abort"
KINDS = ("event", "global")


def payloads(name, kind):
    """The plain events of a stream; `sync` payloads repeat them for replication only."""
    if kind == "event":
        return recorded.events(name)
    inner = [envelope["payload"] for envelope in recorded.global_events(name)]
    return [event for event in inner if event["type"] != "sync"]


def messages(state, name):
    return [state.messages_of(session["id"]) for session in recorded.final_sessions(name)]


def test_the_recordings_are_all_there():
    names = recorded.scenarios()
    assert len(names) == 18
    assert "plain" in names
    assert "old-1.2.27/plain" in names


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in recorded.scenarios() if name != OLD_ABORT])
def test_fold_ends_with_the_messages_the_server_stored(name, kind):
    state = fold(payloads(name, kind))
    assert messages(state, name) == recorded.final_messages(name)


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_an_abort_that_the_old_server_never_stored(kind):
    """1.2.27 publishes no closing snapshot for an aborted part, and never stores deltas.

    So its own database keeps ``text: ""`` for ever, while every connected client shows what it
    was sent. The text is the only difference; 1.18.33 does publish and store the snapshot.
    """
    stream = payloads(OLD_ABORT, kind)
    deltas = [e["properties"] for e in stream if e["type"] == "message.part.delta"]
    [stored] = recorded.final_messages(OLD_ABORT)
    answer = stored[1]["parts"][1]
    assert answer["text"] == ""
    assert {delta["partID"] for delta in deltas} == {answer["id"]}
    answer["text"] = "".join(delta["delta"] for delta in deltas)
    assert messages(fold(stream), OLD_ABORT) == [stored]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", recorded.scenarios())
def test_fold_ends_with_the_sessions_the_server_stored(name, kind):
    state = fold(payloads(name, kind))
    stored = recorded.final_sessions(name)
    assert state.sessions == {session["id"]: session for session in stored}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", recorded.scenarios())
def test_nothing_is_pending_or_busy_at_the_end(name, kind):
    state = fold(payloads(name, kind))
    assert state.permissions == {}
    assert state.questions == {}
    assert all(status == {"type": "idle"} for status in state.status.values())


@pytest.mark.parametrize("name", recorded.scenarios())
def test_both_streams_tell_the_same_but_for_what_no_directory_owns(name):
    owned = fold(
        envelope["payload"]
        for envelope in recorded.global_events(name)
        if envelope["payload"]["type"] != "sync" and envelope.get("directory") != "global"
    )
    assert owned.view() == fold(recorded.events(name)).view()


@pytest.mark.parametrize(("name", "idles"), [("abort", 2), ("error400", 2), (OLD_ABORT, 3)])
def test_aborted_and_failed_turns_go_idle_more_than_once(name, idles):
    state = fold(recorded.events(name))
    assert list(state.idles.values()) == [idles]
    assert [len(errors) for errors in state.errors.values()] == [1]


def text_part(text):
    ids = {"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1"}
    part = {**ids, "type": "text", "text": text}
    return {"type": "message.part.updated", "properties": {"sessionID": "ses_1", "part": part}}


def delta(text, part_id="prt_1"):
    ids = {"sessionID": "ses_1", "messageID": "msg_1", "partID": part_id}
    return {"type": "message.part.delta", "properties": {**ids, "field": "text", "delta": text}}


def message():
    info = {"id": "msg_1", "sessionID": "ses_1", "role": "assistant", "time": {"created": 1}}
    return {"type": "message.updated", "properties": {"sessionID": "ses_1", "info": info}}


def shown(state):
    [answer] = state.messages_of("ses_1")
    return [part["text"] for part in answer["parts"]]


def test_delta_of_an_unknown_part_is_ignored():
    assert shown(fold([message(), delta("lost"), text_part(""), delta("kept")])) == ["kept"]


def test_part_of_an_unknown_message_is_dropped():
    assert fold([text_part("early"), delta("more")]).view() == State().view()


def test_snapshot_replaces_what_deltas_built():
    trace = [message(), text_part(""), delta("ab"), text_part("a"), delta("c")]
    assert shown(fold(trace)) == ["ac"]


def test_deleted_session_takes_everything_but_occurrences_along():
    ids = {"sessionID": "ses_1"}
    state = fold(
        [
            {"type": "session.created", "properties": {**ids, "info": {"id": "ses_1"}}},
            message(),
            text_part("gone"),
            {"type": "session.status", "properties": {**ids, "status": {"type": "busy"}}},
            {"type": "permission.asked", "properties": {**ids, "id": "per_1"}},
            {"type": "question.asked", "properties": {**ids, "id": "que_1"}},
            {"type": "todo.updated", "properties": {**ids, "todos": [{}]}},
            {"type": "session.diff", "properties": {**ids, "diff": []}},
            {"type": "session.idle", "properties": ids},
            {"type": "session.deleted", "properties": {**ids, "info": {"id": "ses_1"}}},
        ]
    )
    assert state.view() == State().view() | {"idles": {"ses_1": 1}}


def test_view_is_untouched_by_later_events():
    state = fold([message(), text_part("a")])
    before = state.view()
    state.apply(delta("b"))
    assert before["parts"] == {"msg_1": {"prt_1": text_part("a")["properties"]["part"]}}
    assert before != state.view()


def test_unknown_types_are_kept_whole_and_in_order():
    unknown = [{"id": f"evt_{n}", "type": "tomorrow.came", "properties": {}} for n in range(2)]
    assert fold(unknown).others == unknown
