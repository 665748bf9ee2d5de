"""Tool calls: kinds, titles, places, diffs and output."""

import msgspec
import pytest
from msgspec import UNSET

from acp_client.content import patches, tools
from acp_client.content.diffs import diff_of_permission, diffs_of
from acp_client.content.locations import locations_of
from acp_client.protocol.updates import Content, Diff, ImageBlock, Location, TextBlock
from acp_client.protocol.wire import Part, ToolState

HERE = "/srv/demo"
UNIFIED = """\
Index: /srv/demo/a.txt
===================================================================
--- /srv/demo/a.txt
+++ /srv/demo/a.txt
@@ -1,2 +1,2 @@
 one
-two
+three
\\ No newline at end of file
"""
ENVELOPE = """\
*** Begin Patch
*** Add File: new.txt
+first
+second
*** Update File: old.txt
*** Move to: moved.txt
@@ def f():
 keep
-drop
+add
*** Delete File: gone.txt
*** End Patch"""


def state(status="running", **fields):
    return msgspec.convert({"status": status, **fields}, ToolState)


def part(tool, **fields):
    return Part("prt_1", "msg_1", "tool", callID="call_1", tool=tool, state=state(**fields))


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("read", "read"),
        ("apply_patch", "edit"),
        ("bash", "execute"),
        ("grep", "search"),
        ("webfetch", "fetch"),
        ("task", "think"),
        ("plan_exit", "switch_mode"),
        ("context7_docs", "other"),
    ],
)
def test_a_tool_has_a_kind(tool, kind):
    assert tools.kind_of(tool) == kind


@pytest.mark.parametrize(
    ("tool", "fields", "title"),
    [
        ("bash", {"input": {"command": "ls -l\npwd", "description": "Lists"}}, "ls -l"),
        ("read", {"input": {"filePath": "a.txt"}, "title": "src/a.txt"}, "src/a.txt"),
        ("grep", {"input": {"pattern": "x+"}}, "x+"),
        ("task", {"input": {"description": "look around"}}, "look around"),
        ("question", {"input": {}}, "question"),
        ("bash", {"input": {"command": "x" * 900}}, "x" * 199 + "…"),
    ],
)
def test_a_call_has_a_title_of_one_line(tool, fields, title):
    assert tools.title_of(part(tool, **fields)) == title


def test_places_are_absolute_and_counted_from_one():
    given = {"filePath": "src/../a.txt", "offset": 4}
    assert locations_of(state(input=given), HERE) == [Location("/srv/demo/a.txt", 5)]
    named = {"files": [{"filePath": "/x/a"}, {"filePath": "/x/b"}, "c", None]}
    found = locations_of(state(metadata=named), HERE)
    assert [one.path for one in found] == ["/x/a", "/x/b", "/srv/demo/c"]


@pytest.mark.parametrize(
    ("tool", "fields", "diffs"),
    [
        (
            "write",
            {"input": {"filePath": "a.txt", "content": "new\n"}, "metadata": {"exists": False}},
            [Diff("/srv/demo/a.txt", None, "new\n")],
        ),
        (
            "write",
            {"input": {"filePath": "/b", "content": "new\n"}, "metadata": {"exists": True}},
            [Diff("/b", "", "new\n")],
        ),
        (
            "edit",
            {"input": {"filePath": "/b", "oldString": "x", "newString": "y"}},
            [Diff("/b", "x", "y")],
        ),
        (
            "edit",
            {
                "input": {"filePath": "/b", "oldString": "two", "newString": "three"},
                "metadata": {"diff": UNIFIED},
            },
            [Diff("/b", "one\ntwo\n", "one\nthree\n")],
        ),
        (
            "edit",
            {
                "input": {"filePath": "/b", "oldString": "two", "newString": "three"},
                "metadata": {"filediff": {"before": "1\ntwo", "after": "1\nthree"}},
            },
            [Diff("/b", "1\ntwo", "1\nthree")],
        ),
        (
            "multiedit",
            {
                "input": {
                    "filePath": "/b",
                    "edits": [
                        {"oldString": "a", "newString": "b"},
                        {"oldString": "", "newString": "c"},
                    ],
                }
            },
            [Diff("/b", "a", "b"), Diff("/b", None, "c")],
        ),
        (
            "apply_patch",
            {"input": {"patchText": ENVELOPE}},
            [
                Diff("/srv/demo/new.txt", None, "first\nsecond\n"),
                Diff("/srv/demo/moved.txt", "keep\ndrop\n", "keep\nadd\n"),
                Diff("/srv/demo/gone.txt", "", ""),
            ],
        ),
        (
            "apply_patch",
            {
                "input": {"patchText": ENVELOPE},
                "metadata": {
                    "files": [
                        {"filePath": "/a", "type": "update", "patch": UNIFIED},
                        {"filePath": "/n", "type": "add", "patch": "@@ -0,0 +1,1 @@\n+hi"},
                    ]
                },
            },
            [Diff("/a", "one\ntwo\n", "one\nthree\n"), Diff("/n", None, "hi\n")],
        ),
        ("read", {"input": {"filePath": "/b", "content": "x"}}, []),
        ("edit", {"input": {"filePath": 7, "oldString": []}}, []),
        ("write", {"input": "nonsense", "metadata": ["x"]}, []),
    ],
)
def test_an_editing_tool_shows_what_it_changes(tool, fields, diffs):
    assert diffs_of(tool, state(**fields), HERE) == diffs


def test_a_permission_shows_what_it_would_change():
    asked = {"filepath": "a.txt", "diff": UNIFIED}
    assert diff_of_permission(asked, HERE) == [
        Diff("/srv/demo/a.txt", "one\ntwo\n", "one\nthree\n")
    ]
    files = {"filepath": "a, b", "files": [{"filePath": "/a", "type": "update", "patch": UNIFIED}]}
    assert [one.path for one in diff_of_permission(files, HERE)] == ["/a"]
    assert diff_of_permission({"command": "ls"}, HERE) == []


def test_a_line_that_looks_like_a_header_is_a_line():
    diff = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n--- not a header\n+++ nor this\n"
    assert patches.unified(diff) == ("-- not a header\n", "++ nor this\n")


def test_a_failed_call_says_why():
    update, shown = tools.show(part("bash", status="error", error="no"), tools.Shown(), HERE)
    assert (update.status, update.content[0].content.text) == ("failed", "no")
    assert shown.done


def test_output_keeps_the_look_of_a_terminal():
    update, _ = tools.show(
        part("bash", status="completed", output="```\nx"), tools.Shown(status="in_progress"), HERE
    )
    assert update.content[0].content.text == "````\n```\nx\n````"


def test_pictures_of_a_tool_are_shown():
    attached = [{"url": "data:image/png;base64,AAAA"}, {"url": "file:///x"}, 7]
    done = part("read", status="completed", output="", attachments=attached)
    update, _ = tools.show(done, tools.Shown(), HERE)
    assert update.content == [Content(ImageBlock("AAAA", "image/png"))]


def test_a_state_older_than_what_is_shown_is_no_news():
    shown = tools.Shown(status="in_progress")
    assert tools.show(part("bash", status="pending"), shown, HERE) == (None, shown)


@pytest.mark.parametrize(
    ("tool", "fields"),
    [
        ("bash", {"status": "completed", "output": "out\n", "metadata": {"exit": 0}}),
        ("read", {"status": "completed", "output": "out", "metadata": {}}),
        ("bash", {"status": "error", "error": "out of reach"}),
        ("read", {"status": "error", "error": "out of reach"}),
        (
            "read",
            {
                "status": "completed",
                "output": "out",
                "attachments": [{"url": "data:image/png;base64,AA=="}],
            },
        ),
    ],
)
def test_an_output_has_one_wording(tool, fields):
    call, _ = tools.show(part(tool, **fields), None, HERE)
    shown = [one.content.text for one in call.content if isinstance(one.content, TextBlock)]
    raw = [] if call.rawOutput is UNSET else [call.rawOutput["output"]]
    assert len({*shown, *raw}) == 1
    assert "out" in shown[0]
