"""For how long another server's answer is used, and for how many names."""

import time

from gateway.access import brief_memory
from gateway.access.brief_memory import BriefMemory


def test_an_answer_is_used_until_its_time_is_over(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def ask(name):
        asked.append(name)
        now[0] += 1.5  # a slow answer is not used for longer
        return {"a": "/a"}.get(name)

    memory = BriefMemory(ask, 2.0)
    assert [memory.of("a"), memory.of("a"), asked] == ["/a", "/a", ["a"]]
    now[0] = 2.0
    assert [memory.of("a"), asked] == ["/a", ["a", "a"]]
    assert [memory.of("b"), memory.of("b"), asked[2:]] == [None, None, ["b", "b"]]


def test_the_oldest_answer_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(brief_memory, "_MOST", 2)
    asked = []
    memory = BriefMemory(lambda name: asked.append(name) or name, 60.0)
    for name in ("a", "b", "c", "c", "b", "a"):
        assert memory.of(name) == name
    assert asked == ["a", "b", "c", "a"]
