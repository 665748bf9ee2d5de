"""Rules: which of them counts, and what a file of rules may hold."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.process.flags import BadFlag
from processor.native.allowance import ALLOWANCE_FLAGS, allowance
from processor.native.permissions import (
    DEFAULT,
    BadPermissions,
    CallRules,
    PermissionRule,
    action_of,
    decide,
    from_config,
    matches,
    of_session,
)
from processor.tools.bash import bash_need
from processor.tools.shell_words import commands_of
from processor.tools.tool import Need

HOME = "/home/me"


@pytest.mark.parametrize(
    ("text", "wildcard", "expected"),
    [
        ("ls", "ls *", True),
        ("ls -l", "ls *", True),
        ("lsof", "ls *", False),
        ("git status", "git *", True),
        ("a/b/c.py", "*.py", True),
        ("a[1].py", "a[1].py", True),
        ("a1.py", "a[1].py", False),
        ("ab", "a?", True),
        ("two\nlines", "two*", True),
        ("", "*", True),
    ],
)
def test_a_wildcard_stands_for_texts(text: str, wildcard: str, expected: bool) -> None:
    assert matches(text, wildcard) is expected


@given(st.text(), st.text(alphabet="ab*", max_size=6))
def test_a_wildcard_with_a_star_at_both_ends_finds_any_part(text: str, word: str) -> None:
    assert matches(f"x{word}{text}", f"*{word}*")


def test_a_long_row_of_stars_takes_no_time() -> None:
    assert not matches("a" * 50_000, "*a" * 40 + "b")


def test_the_last_rule_that_matches_counts() -> None:
    rules = from_config({"bash": {"*": "ask", "git *": "allow", "git push*": "deny"}}, HOME)
    assert action_of("bash", "ls", rules) == "ask"
    assert action_of("bash", "git status", rules) == "allow"
    assert action_of("bash", "git push origin", rules) == "deny"
    assert action_of("webfetch", "https://a.example", rules) == "ask"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [(["a"], "allow"), (["a", "b"], "ask"), (["a", "b", "c"], "deny"), ([], "ask")],
)
def test_each_pattern_of_a_need_must_be_allowed(patterns: list[str], expected: str) -> None:
    rules = from_config({"bash": {"*": "ask", "a": "allow", "c": "deny"}}, HOME)
    assert decide(Need("bash", patterns, []), rules) == expected


@pytest.mark.parametrize(
    "command",
    ['"rm" -rf x', "\\rm x", "rm\t-rf x", "X=1 rm x", ">o rm x", "2>o rm x", "a; X=$(b) r'm' x"],
)
def test_a_command_is_denied_however_it_is_spelled(command: str) -> None:
    rules = from_config({"bash": {"*": "allow", "rm *": "deny"}}, "/home")
    assert decide(bash_need(command, commands_of(command)), rules) == "deny"
    assert decide(bash_need("ls", commands_of("ls")), rules) == "allow"


@pytest.mark.parametrize(
    "command",
    [
        "echo x > $HOME/a",
        "echo x > `a`/b",
        "cat {/a,}",
        "rm $x",
        "X=1 cat $x",
        "cat ~+/a",
        "cat link*/a",
    ],
)
def test_a_command_whose_files_are_unknown_needs_a_rule_for_everything(command: str) -> None:
    rules = from_config({"bash": {"echo *": "allow", "cat *": "allow", "rm *": "allow"}}, "/home")
    assert decide(bash_need(command, commands_of(command)), rules) == "ask"
    plain = "cat a > b"
    assert decide(bash_need(plain, commands_of(plain)), rules) == "allow"


@pytest.mark.parametrize(
    ("permission", "pattern", "expected"),
    [
        ("read", "a.py", "allow"),
        ("read", "a/.env", "ask"),
        ("read", "a/.env.example", "allow"),
        ("grep", "x", "allow"),
        ("bash", "ls", "ask"),
        ("edit", "a.py", "ask"),
        ("webfetch", "https://a.example", "ask"),
        ("external_directory", "/etc/*", "ask"),
        ("a_tool_of_a_server", "*", "ask"),
    ],
)
def test_without_a_config_what_changes_something_is_asked_for(
    permission: str, pattern: str, expected: str
) -> None:
    assert action_of(permission, pattern, DEFAULT) == expected


def test_home_is_expanded_in_a_config() -> None:
    rules = from_config({"external_directory": {"~/work/*": "allow", "$HOME": "deny"}}, HOME)
    assert [rule.pattern for rule in rules] == ["/home/me/work/*", "/home/me"]


def test_one_word_is_for_all_tools() -> None:
    assert action_of("bash", "rm -r /", from_config("deny", HOME)) == "deny"


def test_a_tool_is_not_offered_if_no_call_of_it_can_be_allowed() -> None:
    denied = CallRules(from_config({"edit": "deny", "bash": {"*": "deny", "ls": "allow"}}, HOME))
    assert denied.switch_off("write")
    assert denied.switch_off("edit")
    assert not denied.switch_off("bash")


@pytest.mark.parametrize("rules", [{"write": "deny"}, {"edit": "allow", "wri*": "deny"}])
def test_a_rule_for_write_is_for_this_tool_alone(rules: Any) -> None:
    found = CallRules([*DEFAULT, *from_config(rules, HOME)])
    assert found.switch_off("write")
    assert not found.switch_off("edit")
    need = Need("edit", ["a"], [])
    assert found.of("write").decide(need) == "deny"
    assert found.of("edit").decide(need) != "deny"


def test_a_rule_for_some_files_that_write_makes_is_kept() -> None:
    found = CallRules(from_config({"edit": "allow", "write": {"a/*": "deny"}}, HOME))
    assert not found.switch_off("write")
    assert found.of("write").decide(Need("edit", ["a/b"], [])) == "deny"
    assert found.of("write").decide(Need("edit", ["b"], [])) == "allow"
    assert found.of("edit").decide(Need("edit", ["a/b"], [])) == "allow"


def test_what_a_waiting_turn_denies_is_denied_and_what_it_allows_is_not_allowed() -> None:
    limit = from_config({"bash": {"*": "deny", "git *": "allow"}, "webfetch": "allow"}, HOME)
    found = CallRules(from_config({"bash": {"*": "allow", "git push": "ask"}}, HOME), (limit,))
    assert found.decide(Need("bash", ["ls"], [])) == "deny"
    assert found.decide(Need("bash", ["git status"], [])) == "allow"
    assert found.decide(Need("bash", ["git push"], [])) == "ask"
    assert found.decide(Need("webfetch", ["*"], [])) == "ask"
    given = [PermissionRule("bash", "*", "allow")]
    assert found.decide(Need("bash", ["git push"], []), given) == "allow"
    assert found.decide(Need("bash", ["ls"], []), given) == "deny"
    assert [rule.pattern for rule in found.denying(Need("bash", ["ls"], []))] == ["*", "git *"]
    assert CallRules((), (from_config("deny", HOME),)).switch_off("bash")


@pytest.mark.parametrize("given", ["maybe", 5, {"bash": "perhaps"}, {"bash": {"ls": 1}}, ["ask"]])
def test_a_config_of_another_shape_is_refused(given: Any) -> None:
    with pytest.raises(BadPermissions, match="permission"):
        from_config(given, HOME)


def test_a_session_brings_rules_in_either_shape() -> None:
    rule = {"permission": "bash", "pattern": "*", "action": "deny"}
    assert list(of_session([rule])) == [PermissionRule("bash", "*", "deny")]
    assert list(of_session({"bash": "deny"})) == [PermissionRule("bash", "*", "deny")]
    assert list(of_session(None)) == []
    with pytest.raises(BadPermissions, match="permission"):
        of_session([{"permission": "bash"}])


def read(file: Path | None) -> Any:
    values = {flag.key: flag.default for flag in ALLOWANCE_FLAGS}
    return allowance({**values, "permission": file}, HOME).modes


def test_a_file_has_rules_for_all_agents_and_for_one(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    plan = {"permission": {"edit": {"plans/*": "allow"}}}
    file.write_text(json.dumps({"permission": {"bash": "allow"}, "agent": {"plan": plan}}))
    modes = read(file)
    assert action_of("bash", "ls", modes["build"].rules) == "allow"
    assert action_of("bash", "ls", modes["plan"].rules) == "deny"
    assert action_of("edit", "plans/a.md", modes["plan"].rules) == "allow"
    assert action_of("task", "general", modes["general"].rules) == "deny"


def test_a_file_may_have_the_older_switches(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    plan = {"tools": {"bash": True}}
    tools = {"write": False, "bash": False}
    permission = {"edit": {"a/*": "ask"}}
    given = {"tools": tools, "permission": permission, "agent": {"plan": plan}}
    file.write_text(json.dumps(given))
    modes = read(file)
    assert action_of("edit", "b", modes["build"].rules) == "deny"
    assert action_of("edit", "a/b", modes["build"].rules) == "ask"
    assert action_of("bash", "ls", modes["build"].rules) == "deny"
    assert action_of("bash", "ls", modes["plan"].rules) == "allow"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"tools": {"bash": "no"}}', "tools: Expected `bool`"),
        (b"{", "is not JSON"),
        (b"[]", "holds no JSON object"),
        (b'{"permission": {"bash": "maybe"}}', "allowed are allow, ask and deny"),
        (b'{"agent": []}', "agent: not an object"),
        (b" " * 2_000_000, "has more than"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadFlag, match=words) as refused:
        read(file)
    assert str(refused.value).startswith("--permission: ")
    assert "\n" not in str(refused.value)
