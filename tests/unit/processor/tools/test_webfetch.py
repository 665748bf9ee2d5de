import json
import subprocess
import sys

import pytest

from tests.processes import ROOT

FETCHES = {
    "markdown": {"url": "HOST/page"},
    "text": {"url": "HOST/page", "format": "text"},
    "html": {"url": "HOST/page", "format": "html"},
    "latin": {"url": "HOST/plain"},
    "image": {"url": "HOST/image"},
    "redirect": {"url": "HOST/to/a?/plain"},
    "loop": {"url": "HOST/loop"},
    "denied": {"url": "HOST/to/a?/denied"},
    "other scheme": {"url": "HOST/to/a?file:///etc/passwd"},
    "binary": {"url": "HOST/binary"},
    "missing": {"url": "HOST/missing"},
    "bomb": {"url": "HOST/bomb"},
    "hang": {"url": "HOST/hang", "timeout": 0.3},
    "trickle": {"url": "HOST/trickle", "timeout": 0.5},
    "nobody": {"url": "http://127.0.0.1:1/"},
    "file": {"url": "file:///etc/passwd"},
    "login": {"url": "http://a:b@localhost/"},
    "odd": {"url": "http://[::1/"},
}
MARKDOWN = """# Title

Some **bold** text, a [link](/x).

- one
- two

```
a  b
c
```"""


@pytest.fixture(scope="module")
def results():
    module = "tests.unit.processor.tools.fetches"
    command = [sys.executable, "-m", module, json.dumps([*FETCHES.values()])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(zip(FETCHES, json.loads(done.stdout), strict=True))


def test_a_page_is_returned_in_the_form_that_is_wanted(results):
    assert results["markdown"]["output"] == MARKDOWN
    assert results["markdown"]["title"] == "HOST/page (text/html; charset=utf-8)"
    assert "Some bold text, a link." in results["text"]["output"]
    assert "hidden" not in results["text"]["output"]
    assert results["html"]["output"].startswith("<html>")
    assert results["latin"]["output"] == "é"
    assert results["image"]["attachments"][0]["url"] == "data:image/png;base64,iVBORw=="


def test_a_redirect_is_asked_for_as_the_first_url_is(results):
    assert results["redirect"]["asked"] == [["HOST/to/a?/plain"], ["HOST/plain"]]
    assert results["redirect"]["output"] == "é"
    assert results["denied"] == {"error": "PermissionError: HOST/denied"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loop", "redirects more than 5 times"),
        ("other scheme", "is not allowed"),
        ("binary", "no text"),
        ("missing", "answers with status 404"),
        ("bomb", "more than 5242880 bytes"),
        ("hang", "has not answered within 0.3 s"),
        ("trickle", "has not answered within 0.5 s"),
        ("nobody", "cannot be fetched"),
        ("file", "allowed is http://HOST"),
        ("login", "a login in the URL"),
        ("odd", "is not allowed"),
    ],
)
def test_what_cannot_be_fetched_is_said(results, name, words):
    assert results[name]["error"].startswith("ToolFailed: url: ")
    assert words in results[name]["error"]
