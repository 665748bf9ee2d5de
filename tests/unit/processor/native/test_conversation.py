import base64
from typing import Any

import pytest
from msgspec import UNSET

from bus.events.message import (
    AssistantMessage,
    Failure,
    MessagePath,
    MessageTime,
    ModelRef,
    UserMessage,
)
from bus.events.part import FilePart, ReasoningPart, Span, TextPart, TokenCounts
from processor.native.conversation import EXECUTED, chat
from processor.store.history import Utterance

AT = {"sessionID": "ses_1", "messageID": "msg_1"}


def user(*parts: Any, system: str = "", model: str = "m") -> Utterance:
    message = UserMessage(
        id="msg_1",
        sessionID="ses_1",
        time=MessageTime(1),
        agent="build",
        model=ModelRef("p", model),
        system=system,
    )
    return Utterance(message, list(parts))


def assistant(*parts: Any, error: Failure | None = None, model: str = "m") -> Utterance:
    message = AssistantMessage(
        id="msg_2",
        sessionID="ses_1",
        time=MessageTime(1),
        parentID="msg_1",
        modelID=model,
        providerID="p",
        mode="build",
        agent="build",
        path=MessagePath("/", "/"),
        cost=0,
        tokens=TokenCounts.none(),
        error=error or UNSET,
    )
    return Utterance(message, list(parts))


def text(words: str, **fields: Any) -> TextPart:
    return TextPart(id="prt_1", **AT, text=words, **fields)


def file(mime: str, url: str, **fields: Any) -> FilePart:
    return FilePart(id="prt_2", **AT, mime=mime, url=url, **fields)


PIXEL = "data:image/png;base64,AAAA"


def image_url(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def said(*utterances: Utterance) -> list[tuple[str, Any]]:
    return [(message.role, message.content) for message in chat(utterances)]


def test_text_parts_are_joined_and_ignored_ones_left_out() -> None:
    prompt = user(text("a"), text("hidden", ignored=True), text("b", ignored=False))
    assert said(prompt) == [("user", "a\n\nb")]


@pytest.mark.parametrize("nothing", [[], [text("")], [text(" \n")]])
def test_prompts_around_an_answer_that_never_came_are_one_message(nothing: list[Any]) -> None:
    assert said(user(text("a")), assistant(*nothing), user(text("b"))) == [("user", "a\n\nb")]


def test_prompts_in_a_row_are_one_message_with_their_images() -> None:
    look, image = user(text("look"), file("image/png", PIXEL)), image_url(PIXEL)
    first, second = {"type": "text", "text": "look"}, {"type": "text", "text": "b"}
    assert said(look, user(text("b"))) == [("user", [first, image, second])]
    assert said(user(text("b")), look) == [("user", [second, first, image])]


@pytest.mark.parametrize("url", ["https://a/b.png", "HTTPS://a/b.png", "http://a/b", PIXEL])
def test_an_image_is_sent_however_its_url_is_spelt(url: str) -> None:
    assert said(user(file("image/png", url))) == [("user", [image_url(url)])]


@pytest.mark.parametrize("empty", [[], [text("")], [text("x", ignored=True)]])
def test_a_message_without_content_is_left_out_unless_it_is_the_prompt(empty: list[Any]) -> None:
    rest = [user(text("a")), assistant(text("x")), user(text("b"))]
    assert said(user(*empty), *rest) == [("user", "a"), ("assistant", "x"), ("user", "b")]
    assert said(*rest[:2], user(*empty))[-1] == ("user", "")
    assert said(user(*empty)) == [("user", "")]


def test_the_last_system_text_comes_first() -> None:
    history = [user(text("a"), system="old"), assistant(text("x")), user(text("b"), system="new")]
    assert said(*history)[0] == ("system", "new")
    assert said(*history, user(text("c")))[0] == ("user", "a")


def test_an_image_is_passed_as_one() -> None:
    [(_, content)] = said(user(text("look"), file("image/png", "data:image/png;base64,AAAA")))
    assert content == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]


@pytest.mark.parametrize(
    "url",
    [
        "data:text/plain;base64," + base64.b64encode("grün".encode()).decode(),
        "data:text/plain,gr%C3%BCn",
    ],
)
def test_a_text_file_is_passed_as_text(url: str) -> None:
    assert said(user(file("text/plain", url, filename="a.txt"))) == [("user", "a.txt:\ngrün")]


@pytest.mark.parametrize(
    ("mime", "url"),
    [
        ("application/pdf", "data:,x"),
        ("text/plain", "file:///x"),
        ("text/plain", "data:x;base64,%"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_to_be_there(mime: str, url: str) -> None:
    [(_, content)] = said(user(file(mime, url, filename="a")))
    assert content == "[a: attached, but not readable]"


LOOK = [text("look"), file("image/png", PIXEL, filename="a.png")]


def failure(status: int, message: str) -> Failure:
    return Failure("APIError", {"statusCode": status, "message": message})


NO = failure(400, "cannot decode")
OVERFLOW = Failure("ContextOverflowError", {"message": "too long"})
BUSY = failure(500, "overloaded")


def has_image(*history: Utterance) -> bool:
    return "image_url" in str(said(*history))


@pytest.mark.parametrize("error", [NO, failure(422, "x"), failure(500, "no vision"), OVERFLOW])
def test_a_refused_image_is_left_out_later_with_a_word_in_its_place(error: Failure) -> None:
    [(role, content)] = said(user(*LOOK), assistant(error=error), user(text("b")))
    assert role == "user"
    words = f"[a.png: an image that the provider refused: {error.data['message']}]"
    assert content == f"look\n\n{words}\n\nb"


@pytest.mark.parametrize("error", [BUSY, failure(429, "slow down"), Failure("ProviderAuthError")])
def test_an_image_is_kept_when_the_failure_is_not_its_fault(error: Failure) -> None:
    assert has_image(user(*LOOK), assistant(error=error), user(text("b")))


def test_an_image_that_was_answered_is_kept_whatever_is_refused_later() -> None:
    good = [user(*LOOK), assistant(text("a dog"))]
    assert has_image(*good, user(text("b")), assistant(error=NO), user(text("c")))


def test_an_image_that_one_model_has_refused_is_for_another_to_judge() -> None:
    refused = [user(*LOOK), assistant(error=NO)]
    assert has_image(*refused, user(text("b"), model="other"))
    answered = [user(*LOOK, model="other"), assistant(text("a dog"), model="other")]
    switched = [*answered, user(text("b")), assistant(error=NO)]
    assert not has_image(*switched, user(text("c")))
    assert has_image(*switched, user(text("c"), model="other"))


def test_an_image_that_no_provider_can_fetch_is_said_to_be_there() -> None:
    [(_, content)] = said(user(file("image/png", "file:///x", filename="a")))
    assert content == "[a: attached, but not readable]"


@pytest.mark.parametrize(
    "metadata",
    [
        {"anthropic": None, "signature": 1},
        {"anthropic": "signature"},
        {"anthropic": {"signature": None}},
        {"anthropic": {"signature": ["x"]}},
        {"anthropic": {"redactedData": 1}},
        {"signature": "x"},
    ],
)
def test_a_thought_that_a_client_has_changed_is_left_out(metadata: dict[str, Any]) -> None:
    thought = ReasoningPart(id="prt_1", **AT, text="hm", time=Span(1, 2), metadata=metadata)
    found = chat([user(text("a")), assistant(thought, text("b")), user(text("c"))], thoughts=True)
    assert [one.content for one in found] == ["a", "b", "c"]


def test_a_command_that_never_ran_is_left_out() -> None:
    command = user(text(EXECUTED, synthetic=True))
    assert said(command, user(text("go on"))) == [("user", "go on")]
    assert said(command, assistant(text("it ran")), user(text("go on")))[0] == ("user", EXECUTED)
    assert said(user(text(EXECUTED)))[0] == ("user", EXECUTED)
