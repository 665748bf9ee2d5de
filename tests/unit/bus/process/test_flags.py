import pytest

from bus.process.flags import REQUIRED, BadFlag, Flag, HelpAsked, number, one_of, read, text, whole

FLAGS = (
    Flag("bus", text("an address"), REQUIRED, "the bus"),
    Flag("workers", whole(1, 64), 2, "processes"),
    Flag("stall-timeout", number(1, 600, "s"), 30.0, "patience"),
    Flag("log-level", one_of("info", "debug"), "info", "detail"),
    Flag("model-api-key", text("printable text"), None, "the key", secret=True),
)


def test_a_flag_wins_over_its_twin_and_the_twin_over_the_default():
    values = read(["--bus", "a", "--workers=3"], {"WEIR_WORKERS": "4", "WEIR_BUS": "b"}, FLAGS)
    assert values["bus"] == "a"
    assert values["workers"] == 3
    assert values["stall_timeout"] == 30.0
    assert read([], {"WEIR_BUS": "b", "WEIR_STALL_TIMEOUT": "2.5"}, FLAGS)["stall_timeout"] == 2.5


def test_an_empty_twin_counts_as_not_given():
    assert read(["--bus=a"], {"WEIR_WORKERS": ""}, FLAGS)["workers"] == 2


@pytest.mark.parametrize(
    ("argv", "environ", "words"),
    [
        ([], {}, ["--bus", "missing", "an address"]),
        (["--bus"], {}, ["--bus", "no value", "an address"]),
        (["--bus", "--workers", "2"], {}, ["--bus", "no value"]),
        (["--bus=a", "--workers", "65"], {}, ["--workers", "'65'", "1 to 64"]),
        (["--bus=a", "--workers", "two"], {}, ["--workers", "'two'", "1 to 64"]),
        (["--bus=a", "--stall-timeout", "nan"], {}, ["--stall-timeout", "'nan'", "1 to 600 (s)"]),
        (["--bus=a"], {"WEIR_LOG_LEVEL": "loud"}, ["WEIR_LOG_LEVEL", "'loud'", "info, debug"]),
        (["--bus=a", "--colour=red"], {}, ["--colour:", "unknown", "--workers"]),
        (["--bus=a", "stray"], {}, ["stray", "unknown"]),
        (["--bus="], {}, ["--bus", "''", "an address"]),
        (["--bus=a\nb"], {}, ["--bus", "an address"]),
    ],
)
def test_a_bad_flag_is_one_line_with_its_name_value_and_what_is_allowed(argv, environ, words):
    with pytest.raises(BadFlag) as refused:
        read(argv, environ, FLAGS)
    message = str(refused.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_secret_is_read_from_the_environment_alone_and_never_shown():
    assert read(["--bus=a"], {"WEIR_MODEL_API_KEY": "k"}, FLAGS)["model_api_key"] == "k"
    with pytest.raises(BadFlag) as on_line:
        read(["--bus=a", "--model-api-key=hidden"], {}, FLAGS)
    assert "unknown" in str(on_line.value)
    assert "hidden" not in str(on_line.value)
    with pytest.raises(BadFlag) as bad:
        read(["--bus=a"], {"WEIR_MODEL_API_KEY": "hid\nden"}, FLAGS)
    assert "hid" not in str(bad.value)


def test_help_names_every_flag_with_its_twin_and_default():
    with pytest.raises(HelpAsked) as asked:
        read(["--help"], {}, FLAGS)
    for part in ("--stall-timeout (WEIR_STALL_TIMEOUT)", "default: 30\n", "required"):
        assert part in str(asked.value)
