"""Which of what REST tells is news, when the whole of it is old and large."""

import gc
import json
import weakref

import pytest

from processor.upstream import healing, survey
from processor.upstream.api import MessagePage, RestCut, RestFailed
from processor.upstream.holding_queue import HoldingQueue
from processor.upstream.memory import LIVELY_S
from tests.envelopes import dump
from tests.fakes import stored
from tests.reference import fold
from tests.unit.processor.upstream.bench import (
    BUSY,
    CUT_MS,
    PROMPT,
    SESSION,
    Bench,
    delta,
    frame,
    message,
    part,
)

LONG_AFTER = LIVELY_S + 1


def ids(events, kind):
    return [e["properties"]["info"]["id"] for e in events if e["type"] == kind]


def parts(events):
    return [e["properties"]["part"] for e in events if e["type"] == "message.part.updated"]


def at_rest(bench, *names):
    """Have sessions created, one after the other, that do nothing; return the frames."""
    infos = [{"id": name, "time": {"updated": ms}} for ms, name in enumerate(names, start=1)]
    for info in infos:
        about = {"sessionID": info["id"]}
        idle = frame("session.status", status={"type": "idle"}, **about)
        bench.live(frame("session.created", info=info, **about), idle)
    return [frame("session.deleted", sessionID=info["id"], info=info) for info in infos]


def with_a_message_missed():
    """A bench whose stream was cut in a turn, and has missed a message in it."""
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.stored.apply(message("msg_1", CUT_MS))
    return bench


def test_old_messages_are_not_told_again_and_new_ones_are():
    bench = Bench()
    bench.live(SESSION, BUSY, message("msg_5", 900))
    bench.reconnect()
    for old in range(5):
        bench.stored.apply(message(f"msg_{old}", old, completed=old))
    bench.stored.apply(message("msg_6", CUT_MS, role="user"))
    assert ids(bench.heal(), "message.updated") == ["msg_6"]


def test_a_message_that_nobody_remembers_is_told_if_it_was_completed_in_the_cut():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.stored.apply(message("msg_1", 5, completed=CUT_MS + 1))
    bench.stored.apply(message("msg_2", 6, completed=7))
    assert ids(bench.heal(), "message.updated") == ["msg_1"]


def test_at_the_first_connection_only_answers_under_way_are_told():
    bench = Bench(
        SESSION, BUSY, message("msg_1", 5, "user"), part("prt_1", "msg_1", "old"),
        message("msg_2", 6), part("prt_2", "msg_2", ""), part("prt_3", "msg_2", "done", end=9),
    )  # fmt: skip
    events = bench.heal()
    assert [event["type"] for event in events] == [
        "session.updated",
        "message.updated",
        "message.part.updated",
        "session.status",
    ]
    assert events[2]["properties"]["part"]["id"] == "prt_3"
    assert all(event["id"].startswith("evt_") for event in events)


def test_text_in_flight_is_not_made_shorter_and_its_deltas_wait():
    bench = Bench()
    bench.live(SESSION, BUSY, message("msg_1", 900), part("prt_1", "msg_1", ""))
    bench.live(delta("prt_1", "msg_1", "Hello"))
    bench.reconnect()
    bench.live(delta("prt_1", "msg_1", "there"))
    assert bench.heal() == []
    bench.live(part("prt_1", "msg_1", "Hello, there", end=7))
    assert json.loads(bench.published[-1].event.json())["properties"]["part"]["time"]["end"] == 7
    assert bench.intake.withheld == 1


def test_a_diff_that_was_missed_is_told_before_the_session_is_idle():
    bench = Bench()
    bench.live(SESSION, BUSY, frame("session.diff", diff=[]))
    bench.reconnect()
    diff = [{"file": "a.txt", "additions": 1, "deletions": 0}]
    bench.stored.apply(frame("session.diff", diff=diff))
    bench.stored.apply(frame("session.status", status={"type": "idle"}))
    told = [(event["type"], event["properties"].get("diff")) for event in bench.heal()]
    assert told[0] == ("session.diff", diff)
    assert [event_type for event_type, _ in told[1:]] == ["session.status", "session.idle"]
    bench.reconnect()
    assert bench.heal() == []


def test_unknown_fields_pass_through_healing():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    new = message("msg_1", CUT_MS)
    new["payload"]["properties"]["info"] |= {"mood": {"of": ["tomorrow", 1.5, None, "\ud800"]}}
    bench.stored.apply(new)
    [told] = [e for e in bench.heal() if e["type"] == "message.updated"]
    assert told["properties"]["info"] == new["payload"]["properties"]["info"]


def test_a_message_and_a_part_that_are_gone_are_told_to_be():
    bench = Bench()
    bench.live(SESSION, BUSY, message("msg_1", 900), message("msg_2", 901))
    bench.live(part("prt_1", "msg_1", "a", end=1), part("prt_2", "msg_2", "b", end=1))
    bench.reconnect()
    bench.stored.apply(frame("message.part.removed", messageID="msg_1", partID="prt_1"))
    bench.stored.apply(frame("message.removed", messageID="msg_2"))
    told = {e["type"]: e["properties"] for e in bench.heal()}
    assert told["message.part.removed"]["partID"] == "prt_1"
    assert told["message.removed"]["messageID"] == "msg_2"


@pytest.mark.parametrize(("state", "closed"), [("error", "rejected"), ("completed", "replied")])
def test_a_question_that_is_asked_no_more_is_closed_without_answers(state, closed):
    bench = Bench()
    question = {"id": "que_1", "questions": [], "tool": {"messageID": "msg_1", "callID": "c"}}
    bench.live(SESSION, BUSY, message("msg_1", 900), frame("question.asked", **question))
    bench.reconnect()
    bench.stored.state.questions.clear()
    tool = {"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "type": "tool"}
    tool |= {"callID": "c", "state": {"status": state}}
    bench.stored.apply(frame("message.part.updated", part=tool))
    [told] = [e for e in bench.heal() if e["type"].startswith("question.")]
    assert told["type"] == f"question.{closed}"
    assert told["properties"] == {"sessionID": "ses_1", "requestID": "que_1"}


def test_a_failed_attempt_lets_go_of_what_waits_and_leaves_nothing_out_the_next_time():
    bench = with_a_message_missed()
    bench.fails_after(frame("todo.updated", todos=[{"content": "x"}]))
    assert [one.event.type for one in bench.published] == ["todo.updated"]
    assert ids(bench.heal(), "message.updated") == ["msg_1"]


def test_a_part_that_came_before_its_message_was_fetched_is_told_again():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.stored.apply(message("msg_1", CUT_MS, role="user"))
    said = frame("message.part.updated", part=PROMPT)
    bench.fails_after(said)
    assert said["payload"]["properties"]["part"] in parts(bench.heal())


def test_a_message_goes_before_its_parts_even_if_it_waits_behind_all_of_them():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.stored.apply(message("msg_1", CUT_MS))
    bench.live(part("prt_1", "msg_1", "Hello", end=2), message("msg_1", CUT_MS, completed=3))
    assert fold(bench.heal()).messages_of("ses_1") == bench.stored.state.messages_of("ses_1")


def test_a_part_that_a_cut_has_removed_is_told_gone_though_its_message_goes_on():
    bench = with_a_message_missed()
    bench.heal()
    bench.live(frame("message.part.updated", part=PROMPT))
    bench.reconnect()
    bench.stored.apply(frame("message.part.removed", messageID="msg_1", partID="prt_1"))
    bench.during = lambda: bench.live(message("msg_1", CUT_MS, finish="stop"))
    removed = [e for e in bench.heal() if e["type"] == "message.part.removed"]
    assert [e["properties"]["partID"] for e in removed] == ["prt_1"]


def test_an_answer_that_never_comes_is_done_without_in_the_end():
    bench = with_a_message_missed()

    def fail():
        raise RestFailed("never")

    bench.during = fail
    for _ in range(5):
        with pytest.raises(RestFailed):
            bench.heal()
    assert bench.heal() == []


def test_lost_connections_are_no_reason_to_do_without_an_answer():
    bench = with_a_message_missed()

    def cut():
        raise RestCut("it cut the connection")

    bench.during = cut
    for _ in range(10):
        with pytest.raises(RestCut):
            bench.heal()
    bench.during = lambda: None
    assert ids(bench.heal(), "message.updated") == ["msg_1"]


def test_a_session_that_is_not_understood_holds_back_no_other_and_is_done_without_in_the_end():
    bench = Bench()
    bench.live(SESSION)
    bench.reconnect()
    bench.stored.apply(message("msg_1", CUT_MS))
    healed, answer = [], bench.healing._rest.messages

    def messages(session, place, before=None):
        healed.append(session)
        return answer(session, place, before) if session == "ses_1" else 1 / 0

    bench.healing._rest.messages = messages
    odd = frame("session.created", info={"id": "ses_2", "time": {"created": 1}})
    odd["payload"]["properties"]["sessionID"] = "ses_2"
    bench.stored.apply(odd)
    told = []
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            bench.heal()
        told += [json.loads(one.event.json()) for one in bench.published]
    assert ids(told, "message.updated") == ["msg_1"]
    bench.heal()
    assert healed.count("ses_2") == 6
    assert "ses_2" not in bench.healing.lively(0.0)


@pytest.mark.parametrize(("error", "attempts"), [(RestFailed, 2), (RestCut, 1)])
def test_a_session_that_cannot_be_fetched_does_not_keep_the_others_waiting(
    monkeypatch, error, attempts
):
    bench = Bench()
    other = {"sessionID": "ses_2", "info": {"id": "ses_2", "time": {"created": 1}}}
    bench.live(SESSION, BUSY, frame("session.created", **other))
    bench.reconnect()
    bench.stored.apply(frame("session.deleted", **other))

    def fail(session, place, before=None):
        assert session == "ses_1"
        raise error("not now")

    monkeypatch.setattr(bench.rest, "messages", fail)
    told = []
    for _ in range(attempts):
        with pytest.raises(error):
            bench.heal()
        told += [one.event.type for one in bench.published]
    assert "session.deleted" in told


def test_when_too_much_waits_it_goes_on_and_healing_is_tried_again():
    bench = Bench()
    bench.live(SESSION, BUSY)
    bench.reconnect()
    bench.intake.hold = HoldingQueue(most_events=3)
    bench.stored.apply(message("msg_1", CUT_MS))
    bench.during = lambda: bench.live(BUSY)
    with pytest.raises(RestFailed):
        bench.heal()
    assert [one.event.type for one in bench.published] == ["session.status"] * len(bench.published)
    bench.during = lambda: None
    assert ids(bench.heal(), "message.updated") == ["msg_1"]


def test_a_stream_that_is_later_than_rest_does_not_begin_again_what_has_ended():
    bench = Bench(SESSION)
    bench.live(BUSY)
    bench.reconnect()
    turn = [
        message("msg_2", CUT_MS + 1),
        part("prt_2", "msg_2", ""),
        delta("prt_2", "msg_2", "all of it"),
        part("prt_2", "msg_2", "all of it", end=3),
    ]
    for one in turn:
        bench.stored.apply(one)
    told = [e["properties"].get("part") for e in bench.heal()]
    assert turn[-1]["payload"]["properties"]["part"] in told
    bench.published.clear()
    for one in turn:
        bench.intake.take(dump(one))
    late = [json.loads(one.event.json()) for one in bench.published]
    assert late == [turn[0]["payload"], turn[-1]["payload"]]


def test_sessions_at_rest_that_were_deleted_in_a_cut_are_told_gone_for_one_request_each():
    bench = Bench()
    gone = at_rest(bench, *(f"ses_{n:03}" for n in range(400)))[100:110]
    bench.reconnect(LONG_AFTER)
    for one in gone:
        bench.stored.apply(one)
    assert [(e["type"], e["properties"]) for e in bench.heal()] == [
        (one["payload"]["type"], one["payload"]["properties"]) for one in gone
    ]
    # Two places, the server's own and that of the sessions: four questions each.
    assert bench.asked == 2 * 4 + len(gone)
    bench.reconnect(LONG_AFTER)
    assert bench.heal() == []


def test_a_list_that_cannot_be_had_tells_of_no_end():
    bench = Bench()
    [gone] = at_rest(bench, "ses_1")
    bench.reconnect(LONG_AFTER)
    bench.stored.apply(gone)
    bench.rest.changed_sessions = lambda place, since_ms: 1 / 0
    with pytest.raises(ZeroDivisionError):
        bench.heal()
    assert bench.published == []
    del bench.rest.changed_sessions
    assert [event["type"] for event in bench.heal()] == ["session.deleted"]


def test_a_list_that_is_cut_off_tells_of_no_end_before_its_beginning(monkeypatch):
    bench = Bench()
    deleted = at_rest(bench, "ses_1", "ses_2", "ses_3", "ses_4")
    bench.reconnect(LONG_AFTER)
    bench.stored.apply(deleted[2])
    for module in (stored, survey):
        monkeypatch.setattr(module, "MOST_LISTED", 2)
    assert [event["properties"]["info"]["id"] for event in bench.heal()] == ["ses_3"]
    assert bench.asked == 2 * 4 + 1


def test_a_session_that_is_not_listed_but_still_there_is_not_told_gone():
    bench = Bench()
    at_rest(bench, "ses_1")
    bench.reconnect(LONG_AFTER)
    bench.rest.changed_sessions = lambda place, since_ms: []
    assert bench.heal() == []


class Held(dict):
    """A message that tells whether it is still held."""

    __hash__ = object.__hash__


def test_of_a_long_session_no_more_is_held_at_a_time_than_a_bound_and_a_page(monkeypatch):
    monkeypatch.setattr(healing, "_BATCH_BYTES", 1)
    bench = Bench()
    gone = message("msg_a", CUT_MS + 500)
    bench.live(SESSION, BUSY, message("msg_00", CUT_MS + 1), gone, part("prt_a", "msg_a", "x", 1))
    del bench.stored.state.messages["ses_1"]["msg_a"]
    bench.reconnect()
    for number in range(1, 40):
        name = f"msg_{number:02}"
        bench.stored.apply(message(name, CUT_MS + number))
        bench.stored.apply(part(f"prt_{number:02}", name, "text", end=1))
    held = weakref.WeakSet()
    most = []
    fetch = bench.rest.messages

    def messages(session, place, before=None):
        gc.collect()
        most.append(len(held))
        page = fetch(session, place, before)
        marked = [Held(one) for one in page.messages]
        for one in marked:
            held.add(one)
        return MessagePage(marked, page.before, page.size)

    monkeypatch.setattr(bench.rest, "messages", messages)
    told = bench.heal()
    assert len(most) == 14
    assert max(most) == 0
    assert sorted(ids(told, "message.updated")) == [f"msg_{n:02}" for n in range(1, 40)]
    assert len(parts(told)) == 39
    removed = [one["properties"] for one in told if one["type"] == "message.removed"]
    assert [one["messageID"] for one in removed] == ["msg_a"]
