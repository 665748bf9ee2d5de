from processor.upstream.condition import Condition


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_condition_from_the_first_attempt_to_the_second_connection():
    clock = Clock()
    condition = Condition("http://h", clock, 30.0)
    condition.attempts += 1
    condition.lost("refuses connections")
    clock.now += 3.2
    assert condition.body() == {
        "ready": False,
        "reasons": ["upstream http://h refuses connections; no connection for 3.2 s"],
        "upstream": {
            "url": "http://h",
            "connected": False,
            "version": None,
            "directory": None,
            "frame_age_s": 3.2,
            "silence_s": 30.0,
            "connected_s": 0.0,
            "attempts": 1,
            "reconnects": 0,
            "healing": False,
            "withheld_events": 0,
        },
    }
    condition.connected()
    condition.frame()
    clock.now += 2
    body = condition.body()
    assert (body["ready"], body["reasons"]) == (True, [])
    assert body["upstream"]["attempts"] == 0
    assert body["upstream"]["connected_s"] == 2.0
    condition.lost("is silent")
    condition.connected()
    assert condition.body()["upstream"]["reconnects"] == 1


def test_healing_is_told_and_is_a_reason_once_it_has_failed():
    condition = Condition("http://h", Clock())
    condition.connected()
    condition.healing = True
    assert condition.body()["ready"] is True
    condition.unhealed = "GET /session: it answers 503"
    body = condition.body()
    assert body["ready"] is False
    assert body["upstream"]["healing"] is True
    assert "503" in body["reasons"][0]
