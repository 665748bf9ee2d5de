"""A stream that is cut: what a reader holds is true at every moment, and whole in the end."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests import recorded
from tests.blackbox.relay import Relay, held, relay
from tests.fakes.upstream import Upstream, frames_of, upstream
from tests.processes import ROOT, free_port, running, wait_until
from tests.reference import State

Json = dict[str, Any]
STORED = ("sessions", "messages", "parts", "permissions", "questions", "todos")
WITHOUT_AN_END = ("abort", "error400", "heartbeat", "session_ops")
DELTAS = [name for name in recorded.scenarios() if name.split("/")[-1] not in WITHOUT_AN_END]
HASTY = f"{ROOT / 'tests' / 'fakes' / 'hasty'}:{ROOT}"
DONE = {"directory": "/srv/demo/proj1", "payload": {"type": "test.done", "properties": {}}}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Upstream, Relay]]:
    with upstream() as fake, relay(tmp_path, fake.url) as one:
        one.until_healed()
        yield fake, one


def delta_places(frames: list[Json]) -> list[int]:
    return [n for n, f in enumerate(frames) if f["payload"]["type"] == "message.part.delta"]


def check(got: list[Json], frames: list[Json]) -> None:
    """All texts are prefixes of the final ones after every event, and all is equal in the end."""
    final = held(frames)
    texts = {
        id_: part.get("text") for parts in final.parts.values() for id_, part in parts.items()
    }
    reader = State()
    for frame in got:
        if frame["payload"]["type"] == "sync":
            continue
        reader.apply(frame["payload"])
        for parts in reader.parts.values():
            for part in parts.values():
                if "text" in part:
                    assert texts[part["id"]].startswith(part["text"])
    assert compared(reader) == compared(final)


def compared(state: State) -> Json:
    """What must be equal: all that opencode stores; a session that says nothing is idle."""
    view = state.view()
    busy = {id_: status for id_, status in view["status"].items() if status["type"] != "idle"}
    return {name: view[name] for name in STORED} | {"status": busy}


def reconnect(pair: tuple[Upstream, Relay], *missed: Json) -> None:
    """Cut the stream, let `missed` happen, and wait until all is healed."""
    fake, one = pair
    asked = len([path for path in fake.server.requests if path == "/global/health"])
    with fake.server.changed:
        fake.cut()
        fake.miss(*missed)
    fake.wait_asked("/global/health", asked + 1)
    one.until_healed(one.readiness()["upstream"]["reconnects"])


def finish(pair: tuple[Upstream, Relay], name: str = "") -> list[Json]:
    """Have the upstream say that a recording is over; return all that was told by then."""
    fake, one = pair
    over = DONE | {"payload": DONE["payload"] | {"properties": {"name": name}}}
    fake.say(over)
    return one.until(lambda got: over in got)


def said_up_to(pair: tuple[Upstream, Relay], frames: list[Json], cut: int) -> int:
    """Have the upstream say the first frames; return how many have been told by then."""
    fake, one = pair
    before = len(one.heard())
    fake.say(*frames[:cut])
    return len(one.until_count(before + cut))


def withheld(pair: tuple[Upstream, Relay]) -> int:
    count: int = pair[1].readiness()["upstream"]["withheld_events"]
    return count


def test_deltas_missed_in_mid_part_leave_a_prefix_until_the_part_ends(pair):
    for name in DELTAS:
        frames, before = frames_of(name), withheld(pair)
        places = delta_places(frames)
        cut, back = places[len(places) // 4], places[len(places) // 2]
        said_up_to(pair, frames, cut)
        reconnect(pair, *frames[cut:back])
        pair[0].say(*frames[back:])
        got = finish(pair, name)
        assert withheld(pair) > before, name
    check(got, [frame for name in DELTAS for frame in frames_of(name)])


def test_the_end_of_a_turn_that_was_missed_is_fetched(pair):
    for name in DELTAS:
        frames = frames_of(name)
        places = delta_places(frames)
        cut = places[len(places) // 3]
        told = said_up_to(pair, frames, cut)
        reconnect(pair, *frames[cut:])
        got = finish(pair, name)
        assert "session.idle" in [frame["payload"]["type"] for frame in got[told:]], name
    check(got, [frame for name in DELTAS for frame in frames_of(name)])


@pytest.mark.parametrize("name", ["tool_once", "old-1.2.27/reason"])
def test_many_cuts_in_a_row_are_healed_each(pair, name):
    fake, _ = pair
    frames = frames_of(name)
    step = len(frames) // 6
    for start in range(0, len(frames), 2 * step):
        fake.say(*frames[start : start + step])
        reconnect(pair, *frames[start + step : start + 2 * step])
    check(finish(pair), frames)


@pytest.mark.parametrize("route", ["/session/status", "message", "todo"])
def test_what_happens_while_rest_answers_comes_after_what_it_tells(pair, route):
    fake, one = pair
    frames = frames_of("tool_once")
    places = delta_places(frames)
    cut, back = places[1], places[-3]
    fake.say(*frames[:cut])
    one.until_count(cut)

    def say_the_rest(path: str) -> None:
        if path.endswith(route) and left:
            fake.say(*left)
            left.clear()

    left = frames[back:]
    fake.server.before_rest = say_the_rest
    reconnect(pair, *frames[cut:back])
    got = finish(pair)
    check(got, frames)
    assert not left
    idle = [n for n, f in enumerate(got) if f["payload"]["type"] == "session.idle"]
    assert idle[-1] > max(
        n for n, f in enumerate(got) if f["payload"]["type"] == "message.part.updated"
    )


def said_in_part(pair):
    """Have the upstream say half of a turn; return all its frames, and how many were said."""
    fake, one = pair
    frames = frames_of("plain")
    cut = delta_places(frames)[2]
    fake.say(*frames[:cut])
    one.until_count(cut)
    return frames, cut


def test_rest_that_fails_is_asked_again_and_told(pair):
    fake, one = pair
    frames, cut = said_in_part(pair)
    fake.server.failing = 503
    with fake.server.changed:
        fake.cut()
        fake.miss(*frames[cut:])
    fake.wait_asked("/global/health", 3)
    body = one.readiness()
    assert body["ready"] is False
    assert body["upstream"]["healing"] is True
    assert "503" in body["reasons"][0]
    live = {"directory": "/srv/demo/proj1", "payload": {"type": "test.live", "properties": {}}}
    fake.say(live)
    one.until(lambda got: live in got)
    fake.server.failing = 0
    one.until_healed()
    assert one.readiness()["ready"] is True
    check(finish(pair), frames)


def test_an_answer_that_nobody_thought_of_is_told_and_holds_back_no_other_session(pair):
    fake, one = pair
    frames, cut = said_in_part(pair)
    # Half a character: no request can be made for a session of that name.
    odd = {"sessionID": "ses_\ud800", "status": {"type": "busy"}}
    with fake.server.changed:
        fake.cut()
        fake.miss(
            {"directory": None, "payload": {"type": "session.status", "properties": odd}},
            *frames[cut:],
        )
    one.until(lambda got: "session.idle" in [f["payload"]["type"] for f in got])

    def told() -> Json | None:
        body = one.readiness()
        return body if "its log says why" in "".join(body["reasons"]) else None

    assert wait_until(told, what="the reason")["upstream"]["healing"] is True
    assert "UnicodeEncodeError" in one.processor.log
    check(finish(pair), frames)


def test_a_permission_asked_and_one_answered_in_a_cut(pair):
    fake, one = pair
    frames = frames_of("tool_once")
    kinds = [frame["payload"]["type"] for frame in frames]
    asked, replied = kinds.index("permission.asked"), kinds.index("permission.replied")
    request = frames[asked]["payload"]["properties"]
    fake.say(*frames[:asked])
    one.until_count(asked)
    reconnect(pair, *frames[asked:replied])
    one.until(lambda got: held(got).permissions == {request["id"]: request})
    reconnect(pair, *frames[replied:])
    check(got := finish(pair), frames)
    told = [f["payload"] for f in got if f["payload"]["type"] == "permission.replied"]
    assert [event["properties"] for event in told] == [
        {"sessionID": request["sessionID"], "requestID": request["id"]}
    ]


def test_a_session_deleted_in_a_cut_is_gone(pair):
    fake, one = pair
    frames = frames_of("session_ops")
    deleted = [frame["payload"]["type"] for frame in frames].index("session.deleted")
    fake.say(*frames[:deleted])
    one.until_count(deleted)
    reconnect(pair, *frames[deleted:])
    check(finish(pair), frames)


@pytest.mark.parametrize("restarts", [False, True], ids=["cut", "processor restarted"])
def test_a_session_at_rest_that_is_deleted_unheard_is_told_gone(tmp_path: Path, restarts: bool):
    with upstream() as fake, relay(tmp_path, fake.url, PYTHONPATH=HASTY) as one:
        one.until_healed()
        frames = frames_of("plain")
        fake.say(*frames)
        before = one.until_count(len(frames))
        [session] = held(frames).sessions
        deleted = {"sessionID": session, "info": held(frames).sessions[session]}
        gone = {"payload": {"type": "session.deleted", "properties": deleted}}
        if restarts:
            noted_by(one, frames, "at_rest")
            one.processor.kill()
            fake.miss(gone)
            one.processor.start()
            one.until_healed()
        else:
            reconnect((fake, one), gone)
        finish((fake, one))
        told = before + one.replayed()
    assert session not in held(told).sessions


def test_an_answer_under_way_at_the_first_connection_is_shown(tmp_path: Path):
    frames = frames_of("title")
    places = delta_places(frames)
    port = free_port()
    said = frames[: places[4]]
    with (
        relay(tmp_path, f"http://127.0.0.1:{port}") as one,
        upstream(port, missed=said) as fake,
    ):
        fake.wait_connected()
        one.until_healed()
        fake.say(*frames[places[4] : places[8]])  # deltas of a part that nobody saw begin
        fake.say(*frames[places[8] :])
        got = finish((fake, one))
    reader, final = held(got), held(frames)
    [session] = final.sessions
    assert reader.sessions == final.sessions
    assert reader.status == final.status
    assert reader.messages_of(session)[-1] == final.messages_of(session)[-1]
    statuses = [f["payload"] for f in got if f["payload"]["type"] == "session.status"]
    assert statuses[0]["properties"]["status"] == {"type": "busy"}
    assert got[0]["directory"] == frames[0]["directory"]


@contextmanager
def server(folder: Path, port: int, name: str, said: str) -> Iterator[Any]:
    """A fake opencode as a process of its own."""
    command = ["-m", "tests.fakes.upstream", "--port", str(port), "--recording", name]
    with running(*command, "--said", said, log=folder / "upstream.log") as process:
        yield process


@pytest.mark.parametrize("name", ["title", "old-1.2.27/plain"])
def test_an_upstream_that_is_killed_and_started_again_is_healed(tmp_path: Path, name: str):
    frames = frames_of(name)
    places = delta_places(frames)
    cut, back = places[len(places) // 3], places[2 * len(places) // 3]
    port = free_port()
    with relay(tmp_path, f"http://127.0.0.1:{port}") as one:
        with server(tmp_path, port, name, f"0:{cut}") as first:
            one.until_count(cut)
            one.until_healed()
            first.process.kill()
        with server(tmp_path, port, name, f"{back}:{len(frames)}"):
            last = frames[-1]["payload"]
            one.until(lambda got: any(frame["payload"] == last for frame in got[cut:]))
            body = one.until_healed(1)
            # What was heard may be behind what is answered.
            check(one.until(lambda got: compared(held(got)) == compared(held(frames))), frames)
            assert body["upstream"]["reconnects"] == 1
            assert body["ready"] is True


@pytest.mark.parametrize(
    ("name", "ends_meanwhile"), [("tool_once", True), ("plain", False), ("old-1.2.27/plain", True)]
)
def test_a_processor_that_is_killed_and_started_again_heals_its_readers(
    pair: tuple[Upstream, Relay], name: str, ends_meanwhile: bool
):
    """Its memory is gone with it, the readers are not."""
    fake, one = pair
    frames = frames_of(name)
    places = delta_places(frames)
    cut = places[len(places) // 3]
    back = len(frames) if ends_meanwhile else places[2 * len(places) // 3]
    fake.say(*frames[:cut])
    before = one.until_count(cut)
    note = noted_by(one, frames)
    one.processor.kill()
    # By the clock of the recording, the stream was whole long ago.
    note.write_text(json.dumps({**json.loads(note.read_text()), "since_ms": 0}))
    with fake.server.changed:
        fake.miss(*frames[cut:back])
    one.processor.start()
    one.until_healed()
    fake.say(*frames[back:])
    finish(pair)
    check(before + one.replayed(), frames)


def noted_by(one: Relay, frames: list[Json], among: str = "sessions") -> Path:
    """Wait until the processor has noted the session that frames are about; return the file."""
    session = next(iter(held(frames).messages))

    def noted() -> Path | None:
        files = one.processor.state.glob("*.json")
        found = (file for file in files if session in json.loads(file.read_text())[among])
        return next(found, None)

    return wait_until(noted, what="a note")


@pytest.mark.parametrize(("lag_ms", "has_id"), [(5000, False), (600_000, True)])
def test_what_a_stream_that_lagged_had_not_brought_yet_at_a_cut_is_fetched(pair, lag_ms, has_id):
    fake, one = pair
    fake.server.date = formatdate(usegmt=True)
    reconnect(pair)  # from here on it tells the time of day
    then_ms = time.time_ns() // 1_000_000 - lag_ms
    session = {"id": "ses_late", "time": {"created": then_ms, "updated": then_ms}}
    said = {"type": "session.created", "properties": {"sessionID": "ses_late", "info": session}}
    fake.miss({"directory": "/srv/demo/proj1", "payload": said})
    made = {"id": f"evt_{(then_ms << 12) & 0xFFFFFFFFFFFF:012x}{'0' * 14}"} if has_id else {}
    last = DONE | {"payload": DONE["payload"] | made}
    fake.say(last)
    one.until(lambda got: last in got)
    reconnect(pair)
    one.until(lambda got: "ses_late" in held(got).sessions)
