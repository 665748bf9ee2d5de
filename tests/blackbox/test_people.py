"""People at a running weir: by JWTs of an issuer on this machine, and by a trusted proxy."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.blackbox.weir_up import weir_up
from tests.processes import DEADLINE_S, wait_until
from tests.sse_client import SseClient
from tests.unit.gateway.access.people.issuer import jwk_of, jwks, other_key, token

HERE, THERE = "/srv/here", "/srv/there"
PROXY, ELSEWHERE = "127.0.0.1", "127.0.0.9"


class IssuerServer(ThreadingHTTPServer):
    """Serves a discovery document and keys."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/realm"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: IssuerServer

    def do_GET(self):
        url = self.server.url
        said = json.dumps({"issuer": url, "jwks_uri": f"{url}/keys?v=1"}).encode()
        if self.path.endswith("/keys?v=1"):
            said = jwks(jwk_of(other_key("EdDSA"), "k1"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


class Stage:
    """A weir with people, and their issuer."""

    def __init__(self, up, issuer, identities):
        self.up, self.issuer, self.identities = up, issuer, identities

    def ask(self, method, target, body=None, source=ELSEWHERE, **headers):
        """Return the status and the body of an answer; `source` is the client's address."""
        where = urlsplit(self.up.url)
        connection = http.client.HTTPConnection(
            where.hostname, where.port, timeout=DEADLINE_S, source_address=(source, 0)
        )
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def jwt(self, **more):
        now = int(time.time())
        given = {"iss": self.issuer.url, "exp": now + 3600, "iat": now, **more}
        return token(other_key("EdDSA"), "k1", "EdDSA", **given)

    def grant(self, **users):
        """Replace the file, whole at every moment."""
        fresh = self.identities.with_suffix(".new")
        fresh.write_text(json.dumps(content_of(self.issuer, **users)))
        fresh.replace(self.identities)

    def login(self, **more):
        return {"Authorization": f"Bearer {self.jwt(**more)}"}


def content_of(issuer, **users):
    return {
        "issuers": [{"issuer": issuer.url, "audience": "weir", "skew_s": 0}],
        "users": {f"{issuer.url}#admin": [{"action": "admin"}], **users},
        "groups": {
            f"{issuer.url}#here": [{"action": "write", "directories": [f"{HERE}/**"]}],
        },
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    issuer = IssuerServer()
    identities = folder / "identities.json"
    identities.write_text(json.dumps(content_of(issuer)))
    identities.chmod(0o600)
    flags = ["--identities", str(identities), "--trusted-user-header", "X-User"]
    try:
        with weir_up(folder, "--workers", "1", *flags, "--trusted-proxies", PROXY) as up:
            stage = Stage(up, issuer, identities)
            wait_until(lambda: stage.ask("GET", "/session", **stage.login(sub="admin"))[0] == 200)
            yield stage
    finally:
        issuer.shutdown()
        issuer.server_close()


def test_a_jwt_has_the_grants_of_its_groups_and_no_more(stage):
    bob = stage.login(sub="bob", groups=["here"])
    assert stage.ask("POST", f"/session?directory={HERE}", {}, **bob)[0] == 200
    assert stage.ask("GET", f"/session?directory={THERE}", **bob)[0] == 403
    assert stage.ask("GET", "/weir/status", **bob)[0] == 403
    status, said = stage.ask("GET", "/weir/login", **bob)
    assert (status, said["name"], said["scope"]["directories"]) == (200, "bob", [f"{HERE}/**"])
    assert stage.ask("GET", f"/session?directory={HERE}", **stage.login(sub="carol"))[0] == 403
    status, said = stage.ask("GET", "/session", **stage.login(aud="other"))
    assert (status, "audience" in said["data"]["message"]) == (401, True)
    assert stage.ask("GET", "/session")[0] == 401


def test_a_stream_ends_when_its_jwt_does(stage):
    def opened():
        login.update(stage.login(sub="admin", exp=int(time.time()) + 3))
        stream = SseClient(f"{stage.up.url}/global/event", login)
        return stream if stream.status == 200 else stream.close()

    login: dict[str, str] = {}
    with wait_until(opened) as stream, pytest.raises((EOFError, OSError)):
        stream.until(lambda _: False)
    assert stage.ask("GET", "/session", **login)[0] == 401


def test_the_header_of_the_proxy_names_the_person_and_that_of_anybody_else_does_not(stage):
    stage.grant(**{"#dora": [{"action": "read"}]})
    wait_until(lambda: stage.ask("GET", "/session", source=PROXY, **{"X-User": "dora"})[0] == 200)
    assert stage.ask("GET", "/session", source=ELSEWHERE, **{"X-User": "dora"})[0] == 401
    assert stage.ask("POST", "/session", {}, source=PROXY, **{"X-User": "dora"})[0] == 403
    assert stage.ask("GET", "/session", source=PROXY)[0] == 401
    status, said = stage.ask("GET", "/weir/login", source=PROXY, **{"X-User": "dora"})
    assert (status, said["name"]) == (200, "dora")
    # An issuer that names a dora names another person.
    assert stage.ask("GET", "/session", **stage.login(sub="dora"))[0] == 403
    assert stage.ask("GET", "/session", source=PROXY, **{"X-User": "admin"})[0] == 403


def test_a_person_whose_grants_are_taken_away_loses_the_stream(stage):
    stage.grant(**{f"{stage.issuer.url}#eve": [{"action": "read"}]})

    def opened():
        stream = SseClient(f"{stage.up.url}/global/event", stage.login(sub="eve"))
        return stream if stream.status == 200 else stream.close()

    with wait_until(opened) as stream:
        stage.grant()
        with pytest.raises((EOFError, OSError)):
            stream.until(lambda _: False)
    wait_until(lambda: stage.ask("GET", "/session", **stage.login(sub="eve"))[0] == 403)


def test_a_jwt_is_exchanged_for_a_cookie(stage):
    where = urlsplit(stage.up.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE_S)
    connection.request("POST", "/weir/login", json.dumps({"token": stage.jwt(sub="admin")}))
    answer = connection.getresponse()
    assert answer.status == 200
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    connection.close()
    assert stage.ask("GET", "/session", Cookie=cookie)[0] == 200


def test_a_login_of_a_person_without_grants_is_refused(stage):
    status, said = stage.ask("POST", "/weir/login", {"token": stage.jwt(sub="carol")})
    assert (status, "carol" in said["data"]["message"]) == (403, True)
