import pytest

from processor.tools.shell_words import always, commands_of


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("git status", ["git status"]),
        ("git status; rm -rf ~", ["git status", "rm -rf ~"]),
        ("a && b || c | d & e\nf", ["a", "b", "c", "d", "e", "f"]),
        ("echo 'a; b' \"c; d\" e\\;f", ["echo 'a; b' \"c; d\" e\\;f"]),
        ("echo $(rm x)", ["rm x", "echo $(rm x)"]),
        ('echo "$(rm x)"', ["rm x", 'echo "$(rm x)"']),
        ("echo '$(rm x)'", ["echo '$(rm x)'"]),
        ("echo `rm x`", ["rm x", "echo `rm x`"]),
        ("diff <(ls a) <(ls b)", ["ls a", "ls b", "diff <(ls a) <(ls b)"]),
        ("(cd a; rm b)", ["cd a", "rm b"]),
        ("if true; then rm b; fi", ["true", "rm b"]),
        ("for f in $(ls); do rm $f; done", ["ls", "f in $(ls)", "rm $f"]),
        ("while ! a; do b; done", ["a", "b"]),
        ("! rm x", ["rm x"]),
        ("time rm x", ["rm x"]),
        ("{ rm x; }", ["rm x"]),
        ("f() { rm x; }; f", ["f", "rm x", "f"]),
        ("ls # ; rm x", ["ls # ; rm x"]),
        ("ls # x\nrm y", ["ls # x", "rm y"]),
        ("ls 2>&1 >/dev/null", ["ls 2>&1 >/dev/null"]),
        ("ls &> x; rm y", ["ls", "rm y"]),
        ("echo $((1 + 2))", ["echo $((1 + 2))"]),
        ("A=$(rm x) ls", ["rm x", "A=$(rm x) ls"]),
        ("cat <<EOF\nrm x; $(rm y)\nEOF\nrm z", ["rm y", "cat <<EOF", "rm z"]),
        ("cat <<'EOF'\n$(rm y)\nEOF\nrm z", ["cat <<'EOF'", "rm z"]),
        ("cat <<EOF; rm a\nb\nEOF", ["cat <<EOF", "rm a"]),
    ],
)
def test_every_command_of_a_line_is_found(line, commands):
    parsed = commands_of(line)
    assert [command.text for command in parsed.commands] == commands
    assert not parsed.is_unclear


@pytest.mark.parametrize(
    "line",
    [
        "echo 'open",
        'echo "open',
        "echo $(open",
        "echo `open",
        "a=(1 2)",
        "echo ${x:-$(rm y)}",
        "echo $'\\x41'",
        "echo `a \\`b\\``",
        "$(" * 100 + "rm x" + ")" * 100,
        "function echo { rm x; }; echo a",
        "coproc echo { rm x; }; echo a",
        "echo $(case echo in echo) rm x;; esac)",
        "case a in echo) rm x;; esac",
        "echo a \\\n# '\nrm x # '",
        'echo <<EOF"x"\nEOFx\nrm x\nEOF',
        "echo <<E\\OF\nEOF\nrm x\nE",
        "echo <<EOF\n\tEOF\nrm x",
        'echo <<A "x\n" ; rm x ; echo "\nA\n"',
        "echo <<A; echo $(ls\nA\n)",
        "echo $((echo a); (rm x))",
        'echo ${x:-"}"}; rm x; echo ${x:-"}"}',
        "echo ${x@P}",
        "echo $[ 1 ]",
        "((a = 1))",
        "[[ a =~ b ]]",
        "echo a\r#;rm x",
        "a[ # ' ]=1; rm x; # '",
        "declare a[ # ' ]=1; rm x; # '",
        "echo $(ls # ) a",
        "echo $(ls # )\nrm x)",
        "echo a)",
        "(echo a",
        "echo `ls '`; rm x; echo '`",
        "echo " + 20_000 * "a",
    ],
)
def test_a_line_that_cannot_be_taken_apart_is_unclear(line):
    assert commands_of(line).is_unclear


@pytest.mark.parametrize(
    "line",
    [
        'echo "$\'"; rm x; echo "\'"',
        "echo a\xa0#;rm x",
        "echo <<EOF\n\tEOF\necho '\nEOF\nrm x\n#'",
        "echo <<-EOF\n\tEOF\nrm x",
        "echo $(cat <<A\n'\nA\nrm x\n#'\n)",
        "echo $(ls # '\n); rm x; echo $(ls # '\n)",
    ],
)
def test_a_command_behind_what_looks_like_a_string_or_a_comment_is_found(line):
    parsed = commands_of(line)
    assert parsed.is_unclear or any(command.text == "rm x" for command in parsed.commands)


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["ls", "-l"], "ls *"),
        (["git", "log", "-1"], "git log *"),
        (["git", "remote", "add", "x"], "git remote add *"),
        (["npm", "run", "test"], "npm run test *"),
        (["A=1", "make", "all"], "make all *"),
        (["bash", "-c", "rm x"], None),
        (["sudo", "ls"], None),
        (["xargs", "rm"], None),
        (["$(which", "ls)"], None),
        (["A=1"], None),
        (["git", "-c", "alias.x=!rm y", "x"], None),
        (["perl", "-e", "1"], None),
        (["python3.12", "a.py"], None),
        (["awk", "1", "a"], None),
    ],
)
def test_always_allows_a_program_and_its_word_but_no_program_that_runs_others(words, pattern):
    assert always(words) == pattern
