"""The command socket: what it answers, and what it survives."""

import os

import msgspec
import pytest

from bus.answers import CommandFailed, Failed
from bus.bodies import PatchBody, PromptBody, TextInput
from bus.commands import (
    Describe,
    MessageGet,
    MessageList,
    Prompt,
    SessionDelete,
    SessionGet,
    SessionList,
    SessionPatch,
    Statuses,
    TurnWait,
)
from tests.blackbox.processor_driver import DIRECTORY, Processor, refused


@pytest.mark.parametrize(
    "garbage",
    [
        [b""],
        [b"\x00"],
        [b"\xc1" * 100],
        [os.urandom(4096)],
        [b"\x92\x01", b"\x02"],
        [b"\x91" * 100_000],
        [b""] * 50,
    ],
)
def test_malformed_bytes_are_survived(demo: Processor, garbage: list[bytes]) -> None:
    demo.send(*garbage)
    assert demo.ask(Statuses()) == {}


@pytest.mark.parametrize(
    "request_",
    [
        msgspec.msgpack.encode([77, {"type": "Unknown"}]),
        msgspec.msgpack.encode([77, {"type": "SessionGet"}]),
        msgspec.msgpack.encode([77, {"type": "SessionGet", "session": 5}]),
        msgspec.msgpack.encode([77]),
    ],
)
def test_a_malformed_command_with_an_id_is_answered(demo: Processor, request_: bytes) -> None:
    demo.send(request_)
    answer = demo.answer()
    assert isinstance(answer, Failed)
    assert (answer.id, answer.kind) == (77, "invalid")


@pytest.mark.parametrize(
    "command",
    [
        SessionGet("ses_x"),
        SessionPatch("ses_x", PatchBody(title="t")),
        SessionDelete("ses_x"),
        MessageList("ses_x"),
        Prompt("ses_x", PromptBody(parts=[TextInput(text="a")])),
    ],
)
def test_a_session_that_is_not_there_is_said_to_be(demo: Processor, command: object) -> None:
    with pytest.raises(CommandFailed, match="Session not found: ses_x") as failed:
        demo.ask(command)
    assert failed.value.kind == "not_found"


def test_a_message_that_is_not_there_is_said_to_be(demo: Processor) -> None:
    session = demo.session()
    for command in (MessageGet(session, "msg_x"), TurnWait(session, "msg_x", 10)):
        with pytest.raises(CommandFailed, match="Message not found: msg_x"):
            demo.ask(command)


def test_an_id_that_is_taken_is_a_conflict(demo: Processor) -> None:
    session = demo.session()
    demo.prompt(session, "a", messageID="msg_mine", noReply=True)
    with pytest.raises(CommandFailed) as failed:
        demo.prompt(session, "b", messageID="msg_mine")
    assert failed.value.kind == "conflict"


def test_a_cursor_leads_through_all_messages(demo: Processor) -> None:
    session = demo.session()
    sent = [demo.prompt(session, str(n), noReply=True) for n in range(5)]
    newest = demo.done(MessageList(session, limit=2))
    assert ids(newest.body) == sent[3:]
    middle = demo.done(MessageList(session, limit=2, before=newest.cursor))
    assert ids(middle.body) == sent[1:3]
    oldest = demo.done(MessageList(session, limit=2, before=middle.cursor))
    assert ids(oldest.body) == sent[:1]
    assert oldest.cursor is None


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (MessageList("", limit=2, before="%%"), "before"),
        (MessageList("", before="e30"), "before"),
        (MessageList("", limit=0), "limit"),
    ],
)
def test_a_bad_page_is_refused_by_its_field(
    demo: Processor, command: MessageList, field: str
) -> None:
    command.session = demo.session()
    with pytest.raises(CommandFailed, match=f"^{field}:") as failed:
        demo.ask(command)
    assert failed.value.kind == "invalid"


def test_a_wait_that_ends_before_the_turn_is_null(demo: Processor) -> None:
    session = demo.session()
    prompt = demo.prompt(session, "rate 10 1000")
    assert demo.ask(TurnWait(session, prompt, 20)) is None
    demo.ask(SessionDelete(session))


def test_a_session_is_removed_in_mid_turn_and_nothing_is_said_of_it_after(
    demo: Processor,
) -> None:
    session = demo.session()
    demo.prompt(session, "rate 100 1000")
    demo.until_deltas(session, 5)
    assert demo.ask(SessionDelete(session)) is True
    other = demo.session()
    demo.turn(other, "rate 100 30")
    demo.until_idle(other)
    assert [e.type for e in demo.heard(session)][-1] == "session.deleted"
    assert session not in [s["id"] for s in demo.ask(SessionList())]


def test_sessions_of_a_directory_are_listed(demo: Processor) -> None:
    session = demo.session(title="the one to find")
    found = demo.ask(SessionList(directory=DIRECTORY, search="one to find"))
    assert [s["id"] for s in found] == [session]
    assert demo.ask(SessionList(directory="/elsewhere")) == []


def test_what_clients_ask_for_at_the_start_is_there(demo: Processor) -> None:
    config = demo.ask(Describe("config", DIRECTORY))
    providers = demo.ask(Describe("config/providers", DIRECTORY))
    provider, model = config["model"].split("/", 1)
    assert providers["default"] == {provider: model}
    assert demo.ask(Describe("path", DIRECTORY))["directory"] == DIRECTORY


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--bus"]),
        (["--bus", "ipc:///tmp/x"], ["--state"]),
        (["--bus", "nothing", "--state", "x"], ["--bus", "nothing"]),
        (["--bus", "ipc:///tmp/x", "--state", "x", "--model-retries", "-1"], ["-1", "0 to 20"]),
    ],
)
def test_a_bad_flag_ends_it_with_status_2_and_one_line(flags: list[str], words: list[str]) -> None:
    status, error = refused(*flags)
    assert status == 2
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def test_a_bus_that_cannot_be_bound_ends_it_with_one_line(
    demo: Processor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    (folder / "file").write_text("")
    status, error = refused("--bus", f"ipc://{folder}/file", "--state", str(folder / "state"))
    assert status == 1
    assert error.count("\n") == 1
    assert "--bus" in error


def ids(body: bytes) -> list[str]:
    return [message["info"]["id"] for message in msgspec.json.decode(body)]
