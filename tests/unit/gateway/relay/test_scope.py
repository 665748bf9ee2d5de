"""A reader with a scope, whatever id it comes with: nothing it may not see, all that it may."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay import Cursor, Endpoint, ResumeVerdict, View
from gateway.relay.scope import Scope, is_glob
from tests.envelopes import deliveries, wrapped
from tests.histories import global_histories
from tests.reference import state
from tests.unit.gateway.relay.entering import clone_of, relay_of, rest_of_stream, wires

WHOLE = View(Endpoint.GLOBAL)


def scoped(*directories, sessions=()):
    return View(Endpoint.GLOBAL, scope=Scope(directories, sessions))


def of_scope(view, frames):
    """What a client holds of a scope after frames of `/global/event`."""
    directories = view.scope.directories
    return state([one["payload"] for one in frames if one.get("directory") in directories])


@given(global_histories(), st.integers(0), st.integers(0), st.booleans(), st.sampled_from("wos"))
def test_a_reader_with_any_id_gets_its_scope_whole_and_not_one_event_more(
    frames, cut, mine, falls_off, whose
):
    """The id comes from a stream of everything, of another scope, or of this scope; any cut."""
    envelopes = wrapped(frames)
    directories = sorted({one.directory for one in envelopes if one.directory})
    if not directories:
        return
    view = scoped(directories[mine % len(directories)])
    others = scoped(*(one for one in directories if one not in view.scope.directories), "/none")
    theirs = {"w": WHOLE, "o": others, "s": view}[whose]
    got = [e for step in deliveries(relay_of(envelopes), Cursor(0), theirs) for e in step]
    if not got:
        return
    cut = 1 + cut % len(got)
    elsewhere = clone_of(envelopes, envelopes[-1].seq if falls_off else 0)
    entrance, after = rest_of_stream(elsewhere, got[cut - 1].id, view)
    assert all(one["directory"] in view.scope.directories for one in wires(after))
    assert all(event.id.endswith(f"!{view.scope.tag}") for event in after if event.id)
    expected = of_scope(view, frames)
    if whose == "s":
        assert of_scope(view, [*wires(got[:cut]), *wires(after)]) == expected
    else:
        assert not entrance.resumed
        assert of_scope(view, wires(after)) == expected


def test_a_reader_whose_scope_is_gone_or_another_now_does_not_go_on_exactly():
    envelopes = wrapped(
        {"directory": f"/{number % 2}", "payload": {"type": "session.idle", "properties": {}}}
        for number in range(6)
    )
    relay, view = relay_of(envelopes), scoped("/0")
    got = [e for step in deliveries(relay, Cursor(0), view) for e in step]
    assert len(got) == 3
    for event in got:
        assert rest_of_stream(relay, event.id, view)[0].verdict is ResumeVerdict.EXACT
        for other in (WHOLE, scoped("/0", "/1"), scoped("/1"), scoped(sessions=("ses",))):
            assert rest_of_stream(relay, event.id, other)[0].verdict is ResumeVerdict.CAUGHT_UP


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("/srv/a", ["/srv/a"], ["/srv", "/srv/a/b", "/srv/ab", "/srv/A", "", "srv/a"]),
        ("/srv/a/**", ["/srv/a", "/srv/a/b/c"], ["/srv/ab", "/srv"]),
        ("/srv/*", ["/srv/a", "/srv/.x"], ["/srv", "/srv/a/b"]),
        ("/srv/*/x", ["/srv/a/x"], ["/srv/a/b/x", "/srv/x"]),
        ("/**/x", ["/x", "/a/b/x"], ["/a/xx", "/a/x/b"]),
        ("/s.v/a+b", ["/s.v/a+b"], ["/srv/a+b", "/s.v/aab"]),
        ("/**", ["/a", "/a/b", "/"], []),
    ],
)
def test_a_glob_has_whole_names_only(glob, inside, outside):
    assert is_glob(glob)
    scope = Scope((glob,))
    assert [one for one in inside if not scope.has_folder(one)] == []
    assert [one for one in outside if scope.has_folder(one)] == []
    assert not scope.has_folder(None)
    assert not scope.has(None, "ses_1")


def test_a_session_of_the_scope_is_in_it_wherever_it_is():
    scope = Scope((), ("ses_1",))
    assert scope.has("/anywhere", "ses_1")
    assert not scope.has("/anywhere", "ses_2")
    assert not scope.has("/anywhere", None)
    assert not scope.has_folder("/anywhere")


def slow_pattern(glob: str) -> str:
    """Return the pattern of a glob, with nothing done for its speed."""
    parts = [part for part in glob.split("/") if part]
    names = ["/" + "[^/]*".join(map(re.escape, part.split("*"))) for part in parts]
    every = [
        r"(?:/[^/]+)*" if one == "**" else name for one, name in zip(parts, names, strict=True)
    ]
    return "".join(every) + "/?"


NAMES = st.lists(st.text("ab*", min_size=1, max_size=5) | st.just("**"), min_size=1, max_size=5)
FOLDERS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=6)


@given(NAMES, FOLDERS)
def test_a_glob_matches_what_its_plain_pattern_matches(names, folders):
    glob, folder = "/" + "/".join(names), "/" + "/".join(folders)
    expected = re.fullmatch(slow_pattern(glob), folder) is not None
    assert Scope((glob,)).has_folder(folder) == expected


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("glob", "folder"),
    [
        ("/srv/" + 12 * "*-" + "prod", "/srv/" + 4000 * "-"),
        ("/srv/" + 12 * "**/x/" + "y", "/srv" + 250 * "/x"),
    ],
)
def test_no_folder_takes_long_to_compare(glob, folder):
    assert not Scope((glob,)).has_folder(folder)
