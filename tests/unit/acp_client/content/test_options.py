"""Models and modes that can be chosen."""

import msgspec
import pytest

from acp_client.content.options import (
    AgentEntry,
    Catalogue,
    Choices,
    Config,
    Providers,
    UnknownChoice,
)
from acp_client.protocol.wire import Session

PROVIDERS = {
    "providers": [
        {
            "id": "p",
            "name": "P",
            "models": {
                "m1": {"name": "M1", "limit": {"context": 1000, "output": 10}},
                "org/m2": {"name": "M2"},
            },
        }
    ],
    "default": {"p": "org/m2"},
}
AGENTS = [
    {"name": "build", "description": "builds", "mode": "primary"},
    {"name": "plan", "mode": "all"},
    {"name": "general", "mode": "subagent"},
    {"name": "title", "mode": "primary", "hidden": True},
]


def catalogue(**config):
    return Catalogue(
        msgspec.convert(PROVIDERS, Providers),
        msgspec.convert(AGENTS, list[AgentEntry]),
        msgspec.convert(config, Config),
    )


def session(**known):
    return msgspec.convert({"id": "ses_1", **known}, Session)


def test_the_model_is_the_sessions_or_the_settings_or_the_providers():
    used = session(model={"providerID": "p", "id": "m1"})
    assert Choices(catalogue(), used).model == "p/m1"
    assert Choices(catalogue(model="p/m1"), session()).model == "p/m1"
    assert Choices(catalogue(), session()).model == "p/org/m2"
    gone = session(model={"providerID": "x", "id": "y"})
    assert Choices(catalogue(model="gone/too"), gone).model == "p/org/m2"


def test_modes_are_the_agents_a_person_can_choose():
    choices = Choices(catalogue(), session())
    assert choices.modes() == {
        "currentModeId": "build",
        "availableModes": [
            {"id": "build", "name": "Build", "description": "builds"},
            {"id": "plan", "name": "Plan", "description": None},
        ],
    }
    assert Choices(catalogue(default_agent="plan"), session()).mode == "plan"


def test_options_have_the_categories_that_editors_know():
    choices = Choices(catalogue(), session())
    choices.choose("model", "p/m1")
    choices.choose("mode", "plan")
    options = {one["category"]: one for one in choices.options()}
    assert options["model"]["currentValue"] == "p/m1"
    assert options["mode"]["currentValue"] == "plan"
    assert [one["value"] for one in options["model"]["options"]] == ["p/m1", "p/org/m2"]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("model", "x", "p/m1"), ("mode", "general", "build, plan"), ("colour", "red", "model, mode")],
)
def test_what_is_not_on_offer_is_refused_with_what_is(option, value, words):
    with pytest.raises(UnknownChoice, match=words):
        Choices(catalogue(), session()).choose(option, value)


def test_a_server_without_any_has_none():
    choices = Choices(Catalogue(Providers(), [], Config()), session())
    assert (choices.modes(), choices.options(), choices.model) == (None, [], "")


def test_context_sizes_are_those_of_the_models():
    assert catalogue().sizes == {"p/m1": 1000, "p/org/m2": 0}
