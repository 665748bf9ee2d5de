from processor.upstream.frames import InstanceLocation
from processor.upstream.memory import LIVELY_S, UpstreamMemory
from processor.upstream.subject import Subject

HERE = InstanceLocation("/d")


def noted(*subjects, **bounds):
    memory = UpstreamMemory(**bounds)
    for now, subject in enumerate(subjects):
        memory.note(subject, HERE, float(now))
    return memory


def message(name, session="s"):
    return Subject("message", name, session, {"id": name, "time": {"created": 5}})


def test_a_message_is_known_by_its_value_whatever_the_order_of_its_keys():
    memory = noted(Subject("message", "m", "s", {"a": 1, "b": [{"c": 2, "d": 3}]}))
    assert memory.has("m", {"b": [{"d": 3, "c": 2}], "a": 1})
    assert not memory.has("m", {"a": 1, "b": []})


def test_a_part_of_an_unknown_message_is_not_known():
    part = Subject("part", "p", "s", {"id": "p"}, "m")
    assert not noted(part).knows("p")
    assert noted(message("m"), part).knows("p")


def test_what_is_removed_is_not_known():
    assert not noted(message("m"), Subject("message", "m", "s", None)).knows("m")


def test_what_changed_longest_ago_is_forgotten_first():
    memory = noted(message("a"), message("b"), message("a"), message("c"), most_entities=2)
    assert [memory.knows(name) for name in "abc"] == [True, False, True]


def test_sessions_are_bounded_too():
    memory = noted(*(message("m", f"s{n}") for n in range(5)), most_sessions=2)
    assert [name for name, _ in memory.sessions()] == ["s3", "s4"]


def test_a_session_is_lively_unless_it_is_idle_for_a_while():
    status = Subject("status", "s", "s", {"type": "busy"})
    busy, idle = noted(status), noted(Subject("status", "s", "s", {"type": "idle"}))
    assert busy.session("s").lively(1e9)
    assert idle.session("s").lively(LIVELY_S)
    assert not idle.session("s").lively(LIVELY_S + 1)


def test_a_session_that_waits_for_an_answer_is_lively():
    idle = Subject("status", "s", "s", {"type": "idle"})
    memory = noted(idle, asked := Subject("request", "r", "s", {"id": "r"}))
    assert memory.session("s").lively(1e9)
    memory.note(Subject("request", asked.id, "s", None), HERE, 1.0)
    assert not memory.session("s").lively(1e9)


def info(name, parent=None):
    return Subject("session", name, name, {"id": name, "parentID": parent})


def test_of_a_deleted_session_and_those_that_go_with_it_nothing_is_kept():
    sessions = info("s"), info("child", "s"), info("grandchild", "child"), info("other")
    messages = [message(f"of {one.id}", one.id) for one in sessions]
    part = Subject("part", "prt", "s", {"id": "prt"}, "of s")
    memory = noted(*sessions, *messages, part, Subject("session", "s", "s", None))
    names = ("of s", "prt", "of child", "of grandchild", "of other")
    assert [name for name in names if memory.knows(name)] == ["of other"]
    assert [name for name, _ in memory.sessions()] == ["child", "grandchild", "other"]
    assert memory.entities("s") == []


def test_what_was_forgotten_is_gone_from_its_session_too():
    memory = noted(message("a"), message("b"), message("c"), most_entities=2)
    assert [name for name, _ in memory.entities("s")] == ["b", "c"]
