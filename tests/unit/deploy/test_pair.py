"""`weir pair`: a token, and its link as a QR code."""

import io

import pytest
import segno

from bus.process.flags import BadFlag
from deploy import pair
from gateway.access.principal import Action
from gateway.access.tokens import Tokens


def test_it_makes_a_token_and_shows_the_code_of_its_link(tmp_path):
    words = ["--url", "https://weir.example.org/app", "--state", str(tmp_path), "--write"]
    options = pair.read([*words, "--directory", "/srv/a/**", "--expires", "1h"], {})
    out = io.StringIO()
    assert pair.run(options, out) == 0
    *code, link, how = out.getvalue().splitlines()
    view, _, secret = link.partition("#token=")
    assert view == "https://weir.example.org/app/weir/console/sessions"
    assert "weir token revoke phone" in how
    expected = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(expected, compact=True)
    assert code == expected.getvalue().splitlines()
    principal = Tokens(tmp_path).principal(secret)
    assert (principal.name, principal.may(Action.WRITE)) == ("phone", True)
    assert principal.scope(Action.READ).directories == ("/srv/a/**",)
    with pytest.raises(BadFlag, match="phone"):
        pair.run(options, out)


@pytest.mark.parametrize("words", [[], ["a/b", "--url", "http://x"], ["--url", "ftp://x"]])
def test_what_it_does_not_take_is_refused_in_words(words):
    with pytest.raises(BadFlag):
        pair.read(words, {"HOME": "/home/somebody"})
