"""A principal past one of its limits waits, and no other principal does."""

import pytest

from gateway.access.access import Access
from gateway.access.limits import PrincipalBounds, PrincipalLimits
from gateway.access.principal import everything
from gateway.access.rules import Rules
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request

ANNA, BERT = everything("anna"), everything("bert")
RULES = Rules(False)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """Limits, and what a worker has."""

    def __init__(self, **bounds) -> None:
        self.clock = Clock()
        self.streams = {"anna": 0, "bert": 0}
        self.working: set[str] = set()
        self.limits = PrincipalLimits(
            PrincipalBounds(**bounds),
            lambda principal: self.streams[principal.name],
            self.working.__contains__,
            self.clock,
        )

    def prompts(self, principal, session: str, below: str = "message", method="POST") -> None:
        one = request(method, f"/session/{session}/{below}")
        self.limits.begin_turn(one, RULES.of(method, one.path), principal)

    def opens(self, principal, path: str = "/event") -> None:
        one = request("GET", path)
        self.limits.take(one, RULES.of("GET", path), principal)


def refusal_of(call, *args) -> Refusal:
    with pytest.raises(Refusal) as refused:
        call(*args)
    assert refused.value.status == 429
    assert int(dict(refused.value.headers)["Retry-After"]) > 0
    return refused.value


def test_a_principal_with_its_streams_opens_no_other_and_others_do():
    stage = Stage(streams=2)
    stage.opens(ANNA)
    stage.streams["anna"] = 2
    for path in ("/event", "/global/event"):
        assert refusal_of(stage.opens, ANNA, path).bound == "--principal-streams"
        stage.opens(BERT, path)
    stage.opens(ANNA, "/session")


@pytest.mark.parametrize("below", ["message", "prompt_async", "command", "shell", "summarize"])
def test_a_principal_with_its_turns_prompts_no_other_session(below):
    stage = Stage(turns=2)
    for session in ("ses_1", "ses_2"):
        stage.prompts(ANNA, session)
        stage.working.add(session)
    stage.clock.now = 3600.0
    assert refusal_of(stage.prompts, ANNA, "ses_3", below).bound == "--principal-turns"
    assert refusal_of(stage.prompts, ANNA, "ses_3", below.upper() + "/")
    stage.prompts(ANNA, "ses_1", below)  # it waits behind the turn that runs
    stage.prompts(BERT, "ses_3", below)
    stage.prompts(ANNA, "ses_3", "abort")
    stage.prompts(ANNA, "ses_3", method="GET")
    stage.working.discard("ses_2")
    stage.prompts(ANNA, "ses_4", below)


def test_a_prompt_counts_before_its_session_is_at_work_and_not_for_ever():
    stage = Stage(turns=1)
    stage.prompts(ANNA, "ses_1")
    refusal_of(stage.prompts, ANNA, "ses_2")
    stage.clock.now = 5.0
    stage.prompts(ANNA, "ses_2")


def test_the_last_who_prompts_a_session_has_its_turn():
    stage = Stage(turns=1)
    stage.working.add("ses_1")
    stage.prompts(ANNA, "ses_1")
    stage.prompts(BERT, "ses_1")
    stage.prompts(ANNA, "ses_2")
    refusal_of(stage.prompts, BERT, "ses_3")


def test_a_body_that_is_too_long_is_refused_before_it_is_read():
    access = open_access(limits=Stage(body_mib=1).limits)
    for length, status in ((1024 * 1024, None), (1024 * 1024 + 1, 413)):
        one = request("POST", "/session", f"Content-Length: {length}")
        if status is None:
            access.admit(one, one.path)
            continue
        with pytest.raises(Refusal) as refused:
            access.admit(one, one.path)
        assert (refused.value.status, refused.value.bound) == (status, "--principal-body")


def test_a_body_in_chunks_is_refused_where_it_becomes_too_long():
    access = open_access(limits=Stage(body_mib=1).limits)
    one = request("POST", "/session", "Transfer-Encoding: chunked")
    access.admit(one, one.path)
    pieces, piece = one.body.pieces(), b"10000\r\n" + b"a" * 65536 + b"\r\n"
    one.wire.ahead += piece * 16
    assert len(next(pieces)) == 1024 * 1024
    one.wire.ahead += piece
    with pytest.raises(Refusal) as refused:
        next(pieces)
    assert (refused.value.status, refused.value.bound) == (413, "--principal-body")


def test_without_limits_nothing_is_counted():
    stage = Stage()
    stage.streams["anna"] = 10**6
    for number in range(100):
        stage.opens(ANNA)
        stage.prompts(ANNA, f"ses_{number}")


def asked(access: Access, path: str):
    one = request("GET", path)
    return access.admit(one, one.path)


def test_the_door_answers_429_with_retry_after_and_still_answers_probes():
    access = open_access(limits=Stage(requests_s=1).limits)
    for _ in range(2):
        asked(access, "/session")
    refused = refusal_of(asked, access, "/session")
    assert dict(refused.headers) == {"Retry-After": "1"}
    assert "--principal-requests" in refused.message
    asked(access, "/weir/livez")
    asked(access, "/global/health")
