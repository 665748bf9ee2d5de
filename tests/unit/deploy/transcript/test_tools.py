"""Tool calls and edits in the transcript."""

import pytest

from tests.unit.deploy.transcript.written import delta, edited, lines, text_of, tool


def test_a_tool_is_what_it_does_and_what_came_out():
    command = {"input": {"command": "ls -l\npwd"}}
    events = [
        tool("pending"),
        tool("running", **command),
        tool("running", **command, metadata={"output": "a"}),
        tool("completed", **command, output="a\r\n\x1bb\n"),
        tool("completed", **command, output="a\r\n\x1bb\n"),
        tool("completed", part="prt_2", output="", metadata={"exit": 3}),
    ]
    assert lines(events).splitlines() == [
        "* bash ls -l",
        "  | a",
        "  | ␛b",
        "* bash",
        "  (no output)",
        "  ! exit 3",
    ]


def test_the_output_of_a_tool_stands_under_its_name_whatever_came_between():
    output = "one\ntwo"
    events = [
        tool("running", input={"command": "ls"}),
        delta("meanwhile", part="prt_9"),
        tool("completed", input={"command": "ls"}, output=output),
    ]
    expected = ["* bash ls", "meanwhile", "* bash ls", "  | one", "  | two"]
    assert lines(events).splitlines() == expected


def test_the_cause_of_a_failed_tool_is_told():
    events = [tool("running", title="cat"), tool("error", title="cat", error="no such\nfile")]
    assert lines(events).splitlines() == ["* bash cat", "  ! no such", "  ! file"]
    assert "! it has failed" in lines([tool("error")])


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [*"123456789"]),
        (9, [*"123456789"]),
        (5, ["1", "2", "3", "… 4 more lines …", "8", "9"]),
        (1, ["1", "… 8 more lines …"]),
    ],
)
def test_a_long_output_is_folded(most, expected):
    done = tool("completed", output="\n".join("123456789"))
    _, *written = lines([done], most_lines=most).splitlines()
    assert [line.strip(" |") for line in written] == expected


def test_a_long_line_of_an_output_is_cut_and_one_of_a_text_is_not():
    assert lines([tool("completed", output="x" * 9999)]).splitlines()[1] == f"  | {'x' * 498}…"
    assert lines([delta("x" * 9999)]) == "x" * 9999


def test_an_edit_is_shown_as_a_diff():
    assert lines([edited(output="done")]).splitlines() == [
        "* edit a.txt",
        "  @@ -1 +1 @@",
        "  -b",
        "  +B",
    ]
    whole = {"file": "/srv/a.txt", "before": "a\nb\n", "after": "a\nB\nc\n"}
    written = text_of([edited(metadata={"filediff": whole})], colour=True)
    for line in ("  \x1b[31m-b\x1b[0m\n", "  \x1b[32m+B\x1b[0m\n", "   a\n"):
        assert line in written
    huge = {**whole, "before": "a\n" * 9999, "after": "b\n" * 9999}
    assert "~ /srv/a.txt: 9999 lines become 9999" in lines([edited(metadata={"filediff": huge})])


def test_an_edit_that_failed_shows_no_change():
    assert lines([edited("error", error="not found")]).splitlines()[1:] == ["  ! not found"]
