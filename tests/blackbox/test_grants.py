"""Principals of every kind at every route, inside and outside of their grants.

The cells of the table are generated from the routes that a weir has; what a cell may do follows
from a few lines here, and not from the product's own decision. Whatever the status: no answer to a
principal of one folder holds a word of the other folder.
"""

import base64
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from gateway.access.principal import Action
from gateway.access.rules import Place, Rules
from gateway.access.token_file import TokenFile
from tests.blackbox.weir_up import Up, weir_up
from tests.processes import DEADLINE_S, wait_until
from tests.sse_client import SseClient

IN, OUT = "/srv/inside", "/srv/outside"
MARK = "outside-word"
READ, WRITE, ADMIN = Action.READ, Action.WRITE, Action.ADMIN
# Each principal: what it may do, its folders, and whether it has the inner session by its id.
PRINCIPALS = {
    "nobody": (None, (), False),
    "expired": (None, ("/**",), False),
    "revoked": (None, (), False),
    "read-in": (READ, (f"{IN}/**",), False),
    "write-in": (WRITE, ("/srv/in*",), False),
    "admin-in": (ADMIN, (IN, "/srv/*/deeper"), False),
    "session-in": (WRITE, (), True),
    "read-all": (READ, (), False),
    "write-all": (WRITE, (), False),
    "admin-all": (ADMIN, (), False),
}
UNSCOPED = {"read-all", "write-all", "admin-all"}
# An answer would take long, or change what other cells are about.
NOT_CALLED = {("GET", "/weir/hold"), ("GET", "/weir/agents/{name}")}
NAME_FOLDERS = {
    *(Place.FOLDER, Place.FILE, Place.LIST, Place.STREAM, Place.NAMED, Place.SEARCH),
    Place.EVERYWHERE,
}
STREAMS = {"/event", "/global/event"}


class Session(NamedTuple):
    """A session with a question that waits, and where it is."""

    id: str
    request: str
    folder: str


class Stage(NamedTuple):
    """A weir with two folders, and a token for each principal."""

    up: Up
    tokens: dict[str, str]
    inside: Session
    outside: Session

    def ask(self, who: str, method: str, target: str, body: object = None) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        where = urlsplit(self.up.url)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE_S)
        headers = {"Content-Type": "application/json"}
        if who in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def tokens_in(state: Path) -> dict[str, str]:
    """Make a token for each principal."""
    state.mkdir(mode=0o700)
    file, made = TokenFile(state), {}
    for name, (action, folders, _) in PRINCIPALS.items():
        if name not in ("nobody", "session-in"):
            expires = time.time() - 1 if name == "expired" else None
            made[name] = file.add(name, action or ADMIN, expires, folders)[0]
    file.remove(lambda one: one.name == "revoked")
    return made


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("grants")
    tokens = tokens_in(folder / "state")
    with weir_up(folder, "--workers", "2") as up:
        stage = Stage(up, tokens, Session("", "", IN), Session("", "", OUT))
        with session_that_asks(stage, IN, "inner") as inside:
            tokens["session-in"] = TokenFile(folder / "state").add(
                "session-in", WRITE, None, (), (inside.id,)
            )[0]
            with session_that_asks(stage, OUT, MARK) as outside:
                here = stage._replace(inside=inside, outside=outside)
                known(here, inside, outside)
                for one in (inside, outside):
                    status, text = here.ask(
                        "admin-all", "POST", "/weir/shares", {"session": one.id}
                    )
                    assert status == 200, text
                yield here


def known(stage: Stage, *sessions: Session) -> None:
    """Wait until all workers know the questions, and the token that was made last."""
    inside, outside = (f"/question/{one.request}/reply" for one in sessions)
    for who, path in (("admin-all", inside), ("session-in", inside), ("admin-all", outside)):
        asked = partial(stage.ask, who, "POST", path, [])
        for _ in range(6):  # either worker may answer
            wait_until(lambda asked=asked: asked()[0] == 400)


@contextmanager
def session_that_asks(stage: Stage, folder: str, words: str) -> Iterator[Session]:
    """Make a session, and an agent in it that asks a person."""
    created = {"title": words}
    target = f"/session?directory={quote(folder)}"

    def make() -> str:
        status, text = stage.ask("admin-all", "POST", target, created)
        return json.loads(text)["id"] if status == 200 else ""

    session = wait_until(make, what="a session")
    lines = [
        {"type": "begin", "turn": "t1", "session": session, "prompt": words},
        {
            "type": "question",
            "turn": "t1",
            "ask": "a1",
            "questions": [{"question": words, "header": words, "options": []}],
        },
    ]
    body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    where = urlsplit(stage.up.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE_S)
    headers = {"Authorization": f"Bearer {stage.tokens['admin-all']}"}
    connection.request("POST", f"/weir/agents/asker-{words}?lease=3600", body, headers)
    said = connection.getresponse().read().decode()
    assert '"error"' not in said, said
    try:
        status, text = stage.ask("admin-all", "GET", f"/question?directory={quote(folder)}")
        assert status == 200
        yield Session(session, json.loads(text)[0]["id"], folder)
    finally:
        connection.close()


def cells() -> Iterator[tuple[str, str, Place, Action]]:
    for template, rules in Rules(False).templates.items():
        for method, rule in rules.items():
            if (method, template) not in NOT_CALLED:
                yield method, template, rule.place, rule.action


def target_of(template: str, place: Place, session: Session) -> str:
    """Return a target that is about a session or its folder."""
    words = {
        "{session}": session.id,
        "{request}": session.request,
        "{message}": "msg_none",
        "{part}": "prt_none",
        "{project}": "prj_none",
        "{reader}": "0-1",
        "{share}": "none",
        "{name}": "agent",
        "{output}": "none",
        "{version}": "0",
    }
    for word, value in words.items():
        template = template.replace(word, value)
    return f"{template}?directory={quote(session.folder)}" if place in NAME_FOLDERS else template


def allowed(who: str, place: Place, action: Action, inside: bool, template: str) -> int | None:
    """Return the status of a refusal, None if the request has to pass the door."""
    may, _, by_id = PRINCIPALS[who]
    if place is Place.PUBLIC:
        return None
    if may is None:
        return 401
    if may < action:
        return 403
    # What a route of items answers with is compared to the grants below, in each cell.
    if who in UNSCOPED or place is Place.NOWHERE or template == "/global/event":
        return None
    if place is Place.ITEMS:
        return None
    if place is Place.SERVER:
        return 403
    if place is Place.STREAM:
        return None if inside or by_id else 403
    if by_id:
        of_session = (Place.SESSION, Place.CHILDREN, Place.ASK)
        return None if inside and place in of_session else 403
    return None if inside else 403


@pytest.mark.parametrize("who", PRINCIPALS)
def test_no_cell_of_the_table_leaks(stage, who):
    count = 0
    for method, template, place, action in cells():
        for session in (stage.inside, stage.outside):
            inside = session is stage.inside
            expected = allowed(who, place, action, inside, template)
            target = target_of(template, place, session)
            cell = f"{who}: {method} {target}"
            if expected is None and (template in STREAMS or method == "DELETE"):
                continue  # streams have tests of their own; what is deleted is of no use any more
            if expected is None and template.endswith(("/abort", "/reject", "/dispose")):
                continue
            # A body that no route takes: whatever passes the door changes nothing.
            status, text = stage.ask(who, method, target, [] if method != "GET" else None)
            if expected is None:
                assert status not in (401, 403), f"{cell}: {status} {text}"
            else:
                assert status == expected, f"{cell}: {status} {text}"
            assert status in (501, 503) or status < 500, f"{cell}: {status} {text}"
            if who not in UNSCOPED:
                assert MARK not in text, cell
                names = [stage.outside.id] if inside or stage.outside.id not in target else []
                assert not any(name in text for name in names), cell
            count += 1
    assert count > 80


SPELLINGS = [
    "/session?directory={out}&directory={inn}",
    "/session?directory={inn}&directory={out}",
    "/session?directory=%252Fsrv%252Foutside",
    "/session?directory=/srv/inside/../outside",
    "/session?directory={inn}&scope=project",
    "/session?directory={inn}&workspace=wrk_1",
    "//session?directory={out}",
    "/session/../session/{id}",
    "/session/%73es_x/../{id}",
    "/SESSION/{id}",
    "/session/{id}/",
    "/session/{id}/message?directory={inn}",
    "/session/{id}?directory={inn}",
    "/session/ses_none",
    "/file?directory={inn}&path=../outside",
    "/file?directory={inn}&path=%252e%252e/outside",
    "/file/content?directory={inn}&path={out}/a",
    "/file/content?directory={inn}&path=a&path=..%5coutside",
    "/find?directory={out}&pattern=a",
    "/api/location?directory={out}",
]


@pytest.mark.parametrize("spelt", SPELLINGS)
@pytest.mark.parametrize("who", ["read-in", "admin-in", "session-in"])
def test_no_spelling_leads_out_of_the_grants(stage, who, spelt):
    target = spelt.format(out=quote(OUT), inn=quote(IN), id=stage.outside.id)
    status, text = stage.ask(who, "GET", target)
    assert status == 403, text
    assert MARK not in text


@pytest.mark.parametrize("where", ["/event?directory=/srv/inside", "/global/event"])
@pytest.mark.parametrize("who", ["read-in", "write-in", "admin-in", "session-in"])
@pytest.mark.parametrize("since", ["", "unscoped"])
def test_a_stream_has_what_is_granted_and_nothing_else(stage, who, where, since):
    """Also where the stream begins after an id of a principal that may see everything."""
    url, joint = stage.up.url + where, "&" if "?" in where else "?"
    if since:
        with whole_stream(stage, f"{stage.up.url}/global/event") as stream:
            since = next(event.id for event in iter(stream.next, None) if event.id)
    query = f"{joint}since={quote(since)}" if since else ""
    with SseClient(url + query, bearer(stage, who)) as stream:
        assert stream.status == 200
        for number in range(2):
            retitle(stage, stage.outside, f"{MARK} {number}")
        retitle(stage, stage.inside, "the last word")
        got = stream.until(lambda event: "the last word" in json.dumps(event))
    said = json.dumps(got)
    assert stage.inside.id in said
    assert MARK not in said
    assert stage.outside.id not in said
    assert OUT not in said


def test_a_stream_of_everything_has_both_folders(stage):
    with whole_stream(stage, f"{stage.up.url}/global/event") as stream:
        retitle(stage, stage.outside, f"{MARK} seen")
        stream.until(lambda event: f"{MARK} seen" in json.dumps(event))


def whole_stream(stage: Stage, url: str) -> SseClient:
    return SseClient(url, bearer(stage, "read-all"))


def bearer(stage: Stage, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.tokens[who]}"}


def retitle(stage: Stage, session: Session, title: str) -> None:
    status, text = stage.ask("admin-all", "PATCH", f"/session/{session.id}", {"title": title})
    assert status == 200, text


def test_a_token_is_taken_wherever_a_credential_may_stand(stage):
    token = stage.tokens["read-all"]
    where = urlsplit(stage.up.url)

    def status(target: str, **headers: str) -> int:
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE_S)
        with suppress(OSError):
            connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    assert status("/session") == 401
    assert status("/session", Authorization=f"bearer {token}") == 200
    assert status("/session", Authorization=f"Basic {basic}") == 200
    assert status(f"/session?auth_token={token}") == 200
    assert status("/session", Cookie=f"weir_login={token}") == 401
    assert status("/session", Authorization=f"Bearer {token}x") == 401


def test_the_login_gives_a_cookie_that_no_script_reads(stage):
    where = urlsplit(stage.up.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE_S)
    connection.request("POST", "/weir/login", json.dumps({"token": stage.tokens["read-in"]}))
    answer = connection.getresponse()
    cookie, said = answer.headers["Set-Cookie"], json.loads(answer.read())
    assert said["name"] == "read-in"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    value = cookie.partition(";")[0]
    assert stage.tokens["read-in"] not in value
    for target, expected in (
        (f"/session?directory={IN}", 200),
        (f"/session?directory={OUT}", 403),
    ):
        connection.request("GET", target, headers={"Cookie": f"a=b; {value}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    forged = value[:-1] + ("0" if value[-1] != "0" else "1")
    foreign = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    own = {"Origin": stage.up.url}
    for cookie, more, expected in ((forged, {}, 401), (value, foreign, 401), (value, own, 200)):
        connection.request("GET", "/weir/login", headers={"Cookie": cookie, **more})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    connection.close()


def test_a_revoked_token_ends_its_streams_and_counts_no_more_at_any_worker(stage, tmp_path):
    state = stage.up.running.log.parent / "state"
    file = TokenFile(state)
    token, made = file.add("short", READ, None, (IN,))
    stage.tokens["short"] = token
    wait_until(lambda: stage.ask("short", "GET", f"/session?directory={IN}")[0] == 200)
    clients = []
    for _ in range(4):  # at both workers, as a rule

        def opened() -> SseClient | None:
            stream = SseClient(f"{stage.up.url}/global/event", bearer(stage, "short"))
            if stream.status == 200:
                return stream
            stream.close()
            return None

        clients.append(wait_until(opened))
    with whole_stream(stage, f"{stage.up.url}/global/event") as other:
        file.remove(lambda one: one.id == made.id)
        for client in clients:
            with pytest.raises((EOFError, ConnectionError, http.client.IncompleteRead)):
                all(client.next() for _ in iter(int, 1))
            client.close()

        def refused_everywhere() -> bool:
            where = f"/session?directory={IN}"
            return all(stage.ask("short", "GET", where)[0] == 401 for _ in range(6))

        wait_until(refused_everywhere, what="401 of both workers")
        retitle(stage, stage.outside, f"{MARK} still")
        other.until(lambda event: f"{MARK} still" in json.dumps(event))
