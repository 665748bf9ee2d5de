from pathlib import Path

import pytest

from bus.process.flags import BadFlag
from processor.settings import from_flags

NEEDED = ["--bus", "ipc:///run/weir", "--state", "/var/lib/weir"]
MODEL = ["--model-url", "http://127.0.0.1:1/v1/", "--model", "m1"]


def test_the_demo_answers_unless_a_model_is_named() -> None:
    settings = from_flags(NEEDED, {})
    assert settings.model is None
    assert settings.state == Path("/var/lib/weir")
    assert settings.bus.events == "ipc:///run/weir/events"


def test_a_model_is_read_from_flags_and_its_key_from_the_environment() -> None:
    environ = {"WEIR_MODEL_API_KEY": "k", "WEIR_MODEL_READ_TIMEOUT": "5"}
    model = from_flags([*NEEDED, *MODEL], environ).model
    assert model is not None
    assert (model.url, model.name, model.key) == ("http://127.0.0.1:1/v1", "m1", "k")
    assert (model.connect_timeout_s, model.read_timeout_s, model.retries) == (10.0, 5.0, 4)


@pytest.mark.parametrize(
    ("argv", "environ", "words"),
    [
        ([], {}, ["--bus", "missing"]),
        (["--bus", "ipc:///a"], {}, ["--state", "missing"]),
        ([*NEEDED, "--bus", "udp://x"], {}, ["--bus", "udp://x", "tcp://HOST:PORT"]),
        ([*NEEDED, "--bus", "tcp://8.8.8.8:80"], {}, ["--bus", "8.8.8.8", "loopback"]),
        ([*NEEDED, "--bus", "ipc:///" + "x" * 200], {}, ["--bus", "too long"]),
        ([*NEEDED, "--model-url", "http://h/v1"], {}, ["--model", "missing"]),
        ([*NEEDED, "--model", "m"], {}, ["--model-url", "missing"]),
        ([*NEEDED, *MODEL, "--model-url", "ftp://h"], {}, ["--model-url", "ftp://h", "https://"]),
        ([*NEEDED, *MODEL, "--model-url", "http://h:x/"], {}, ["--model-url", "http://h:x/"]),
        ([*NEEDED, *MODEL, "--model-retries=21"], {}, ["--model-retries", "'21'", "0 to 20"]),
        ([*NEEDED, "--log-level=loud"], {}, ["--log-level", "'loud'", "debug, info"]),
        (NEEDED, {"WEIR_MODEL_READ_TIMEOUT": "0"}, ["WEIR_MODEL_READ_TIMEOUT", "'0'", "0.1 to"]),
    ],
)
def test_a_bad_value_is_one_line_with_all_that_is_needed(
    argv: list[str], environ: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(BadFlag) as refused:
        from_flags(argv, environ)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with pytest.raises(BadFlag) as refused:
        from_flags([*NEEDED, *MODEL], {"WEIR_MODEL_API_KEY": "sëcret"})
    assert "cret" not in str(refused.value)
