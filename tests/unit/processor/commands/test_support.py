"""What a prompt or a new session asks for and this processor lacks is refused by its field."""

import msgspec
import pytest

from bus.answers import CommandFailed
from bus.bodies import CreateBody, PromptBody
from processor.commands.support import check_new_session, check_prompt
from processor.engines.demo import DemoEngine

OFFER = DemoEngine.offer
AGENTS = ["build", "nightly"]
TEXT = {"parts": [{"type": "text", "text": "a"}]}


def prompt(**fields):
    check_prompt(msgspec.convert(TEXT | fields, PromptBody), OFFER, AGENTS)


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"agent": "plan"}, "agent", "build"),
        ({"agent": "Build"}, "agent", "build"),
        ({"format": {"type": "json_schema", "schema": {}}}, "format", "text"),
        ({"format": {}}, "format", "text"),
        ({"tools": {"a": False, "bash": True}}, "tools.bash", "false"),
        ({"model": {"providerID": "p", "modelID": "m"}}, "model", OFFER.model),
    ],
)
def test_what_a_prompt_asks_for_in_vain_is_refused_by_its_field(fields, field, allowed):
    with pytest.raises(CommandFailed) as refused:
        prompt(**fields)
    assert (refused.value.kind, refused.value.field) == ("invalid", field)
    assert refused.value.message.startswith(f"{field}: ")
    assert allowed in refused.value.message.partition("allowed")[2]


@pytest.mark.parametrize(
    "fields",
    [
        {"agent": "build"},
        {"agent": ""},
        {"format": {"type": "text"}},
        {"tools": {}},
        {"tools": {"bash": False}},
        {"model": {"providerID": OFFER.provider, "modelID": OFFER.model}},
        {"system": "be brief", "variant": "high", "noReply": True},
    ],
)
def test_what_clients_send_by_default_is_taken(fields):
    prompt(**fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"agent": "plan"}, "agent"), ({"model": {"id": "m", "providerID": "p"}}, "model")],
)
def test_a_new_session_is_checked_too(fields, field):
    with pytest.raises(CommandFailed) as refused:
        check_new_session(msgspec.convert(fields, CreateBody), OFFER, AGENTS)
    assert refused.value.field == field


def test_a_session_may_begin_with_what_there_is():
    check_new_session(msgspec.convert({"agent": "build"}, CreateBody), OFFER, AGENTS)


@pytest.mark.parametrize("permission", [{"bash": "maybe"}, [{"permission": "bash"}], "often"])
def test_rules_that_are_none_are_refused_by_their_field(permission):
    with pytest.raises(CommandFailed) as refused:
        check_new_session(msgspec.convert({"permission": permission}, CreateBody), OFFER, AGENTS)
    assert refused.value.field == "permission"
    assert refused.value.message.startswith("permission")
