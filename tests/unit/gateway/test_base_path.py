"""Which requests are under the base path, and what is left of their targets."""

import pytest

from gateway.base_path import BASE_PATH, BasePath
from gateway.proxy.failures import Refusal

BASE = BasePath("/weir-app")


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        (b"/weir-app/session?x=/weir-app", b"/session?x=/weir-app"),
        (b"/weir-app", b"/"),
        (b"/weir-app?x=1", b"/?x=1"),
        (b"/weir-app/", b"/"),
        (b"/weir-app//event", b"//event"),
        (b"/weir-app/weir-app/x", b"/weir-app/x"),
        (b"/weir/livez", b"/weir/livez"),
        (b"/weir/readyz/?x", b"/weir/readyz/?x"),
        (b"*", b"*"),
    ],
)
def test_what_is_under_the_path_loses_it(target, inside):
    assert BASE.inside(target) == inside
    assert BasePath().inside(target) == target


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/event",
        b"/weir-apps/x",
        b"/weir-app%2Fx",
        b"/WEIR-APP/x",
        b"/x/weir-app/y",
        b"/weir/status",
        b"/weir",
        b"//weir-app/x",
        b"/weir/livez/x",
    ],
)
def test_what_is_elsewhere_is_404_with_the_path(target):
    with pytest.raises(Refusal, match="all paths of this weir are under /weir-app") as refused:
        BASE.inside(target)
    assert refused.value.status == 404


def test_probes_answer_also_where_the_path_is_like_theirs():
    base = BasePath("/weir")
    for target in (b"/weir/livez", b"/weir/weir/livez"):
        assert base.inside(target) == b"/weir/livez"
    assert base.inside(b"/weir/session") == b"/session"


@pytest.mark.parametrize(
    ("text", "path"),
    [("/weir-app", "/weir-app"), ("/a/b.c_d~1/", "/a/b.c_d~1"), ("/", ""), ("/..a", "/..a")],
)
def test_a_path_is_read_without_its_last_slash(text, path):
    read = BASE_PATH.parse(text)
    assert read.path == path
    assert BASE_PATH.parse(str(read)) == read


@pytest.mark.parametrize(
    "text", ["", "a", "a/b", "//a", "/a//b", "/a/../b", "/.", "/a b", "/%41", "/a?b", "/ä", "/a\n"]
)
def test_what_is_not_a_path_is_refused(text):
    with pytest.raises(ValueError, match=r"^$"):
        BASE_PATH.parse(text)
