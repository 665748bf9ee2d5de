from base64 import b64decode

import pytest

from bus.process.flags import BadFlag
from processor.settings import from_flags

BUS = ["--bus", "ipc:///run/weir"]
URL = "http://127.0.0.1:4096"


def upstream(*flags, **environ):
    settings = from_flags([*BUS, *flags], environ)
    assert settings.upstream is not None
    return settings.upstream


def opened_by(settings):
    return b64decode(settings.authorization.removeprefix("Basic ")).decode()


def test_an_upstream_needs_no_folder_for_sessions():
    settings = from_flags([*BUS, "--upstream", f"{URL}/"], {})
    assert settings.state is None
    assert settings.upstream.url == URL
    assert settings.upstream.authorization is None
    assert settings.upstream.silence_s == 30.0


def test_flags_have_twins_in_the_environment():
    environ = {"WEIR_UPSTREAM": "https://host", "WEIR_UPSTREAM_SILENCE": "2.5"}
    settings = upstream(**environ)
    assert (settings.url, settings.silence_s) == ("https://host", 2.5)


def test_the_password_is_the_one_opencode_reads():
    assert opened_by(upstream("--upstream", URL, OPENCODE_SERVER_PASSWORD="p")) == "opencode:p"
    named = {"OPENCODE_SERVER_PASSWORD": "p", "OPENCODE_SERVER_USERNAME": "me"}
    assert opened_by(upstream("--upstream", URL, **named)) == "me:p"
    assert opened_by(upstream("--upstream", "http://a:b%3A@h", **named)) == "a:b:"


def test_the_password_is_never_shown():
    settings = upstream("--upstream", "http://me:hidden@h", OPENCODE_SERVER_PASSWORD="hidden")
    assert "hidden" not in repr(settings)
    assert settings.authorization not in repr(settings)


@pytest.mark.parametrize(
    "url",
    ["ftp://h", "h:4096", "http://", "http://h:x", "http://h/api?x=1", "http://h?x=1", "http://h:0",
     "http://h h", "http://me:hidden@h/path#x", "http://me:hid den@h", "http://me:hidden@[::1"],
)  # fmt: skip
def test_a_bad_url_is_refused_in_one_line_without_its_password(url):
    with pytest.raises(BadFlag) as refused:
        upstream("--upstream", url)
    message = str(refused.value)
    assert message.startswith("--upstream: ")
    assert "http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]" in message
    assert "\n" not in message
    assert "hid" not in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--state: missing"),
        (["--upstream", URL, "--model-url", "http://h/v1", "--model", "m"], "--model-url"),
        (["--upstream", URL, "--upstream-silence", "0.5"], "1 to 300"),
        (["--upstream", URL, "--upstream-silence", "301"], "1 to 300"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, words):
    with pytest.raises(BadFlag, match=words):
        from_flags([*BUS, *flags], {})
