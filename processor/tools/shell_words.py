"""Parses a shell command line: which commands it runs, for the rules of permissions.

Rules:

1. Each simple command is a pattern of its own, so that a rule for ``git *`` does not allow ``git
   status; rm -rf ~``. Commands in substitutions, in backquotes and in groups count too.
2. If a part cannot be parsed with certainty, there is one more pattern, which begins with
   `UNCLEAR`. Only a rule for everything matches this pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct, field

UNCLEAR = "(unclear) "
_ENDS = (";;&", ";;", ";&", "&&", "||", "|&", ";", "|", "\n", "&")
_RESERVED = re.compile(
    "if|then|elif|else|fi|while|until|for|do|done|case|esac|in|select|function|time|coproc|[!{}]"
).fullmatch
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=")
_HEREDOC = re.compile(r"<<-?\s*(\\?)(['\"]?)([A-Za-z0-9_.!-]+)\2")
_MOST_DEPTH = 20


class Simple(Struct, frozen=True):
    """One simple command: its text, and its words without quotes."""

    text: str
    words: list[str]


class Parsed(Struct):
    """The commands of a line.

    Attributes:
        commands: all simple commands.
        targets: the files that it redirects to or from.
        is_unclear: there may be more commands.
    """

    commands: list[Simple] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    is_unclear: bool = False


def commands_of(line: str) -> Parsed:
    """Return the simple commands of a line."""
    parsed = Parsed()
    _Reader(line, parsed, 0).read()
    return parsed


class _Reader:
    """Parses one line, or the text of a substitution in it."""

    def __init__(self, line: str, parsed: Parsed, depth: int) -> None:
        self._line, self._parsed, self._depth = line, parsed, depth
        self._at = 0
        self._begin()
        if depth > _MOST_DEPTH:
            parsed.is_unclear = True
            self._at = len(line)

    def read(self) -> None:
        while self._at < len(self._line):
            self._step()
        self._end_command(self._at)

    def _begin(self) -> None:
        self._start, self._words = self._at, list[str]()
        self._word: str | None = None
        self._is_target = False

    def _step(self) -> None:
        line, at = self._line, self._at
        char = line[at]
        if char == "\\":
            following = line[at + 1 : at + 2]
            self._add("" if following == "\n" else following)
            self._at += 2
        elif char == "'":
            self._add(self._until("'", at + 1))
        elif char == '"':
            self._quoted()
        elif char in "$`":
            self._substitution()
        elif char == "#" and self._word is None:
            self._at = _find(line, "\n", at)
        elif char in "<>":
            self._redirection()
        elif (end := next((end for end in _ENDS if line.startswith(end, at)), None)) is not None:
            self._end_command(at)
            self._at += len(end)
            self._begin()
        elif char in "()":
            self._group(char)
        elif char.isspace():
            self._end_word()
            self._at += 1
        else:
            self._add(char)
            self._at += 1

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text

    def _end_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        if self._is_target:
            self._is_target = False
            self._parsed.targets.append(word)
        else:
            self._words.append(word)
            if len(self._words) == 1 and _RESERVED(self._words[0]):
                self._start, self._words = self._at, []

    def _end_command(self, at: int) -> None:
        self._end_word()
        text = self._line[self._start : at].strip()
        if text and self._words:
            self._parsed.commands.append(Simple(text, self._words))
        self._words = []

    def _group(self, char: str) -> None:
        """Parse a subshell, or the brackets of a function or of a pattern in ``case``."""
        if char == "(" and (self._word is not None or self._words):
            self._parsed.is_unclear |= not self._line.startswith("()", self._at)
        self._end_command(self._at)
        self._at += 1
        self._begin()

    def _redirection(self) -> None:
        line, at = self._line, self._at
        if line.startswith(("<(", ">("), at):
            self._nested(at + 2)
        elif line.startswith("<<<", at):
            self._at += 3
        elif line.startswith("<<", at):
            self._heredoc()
        else:
            self._end_word()
            self._is_target = True
            self._at += 2 if line.startswith((">&", "<&", ">>", "<>", ">|"), at) else 1

    def _heredoc(self) -> None:
        found = _HEREDOC.match(self._line, self._at)
        if found is None:
            self._parsed.is_unclear = True
            self._at += 2
            return
        body = _find(self._line, "\n", found.end()) + 1
        escape, quote, name = found.groups()
        end = re.compile(rf"^\t*{re.escape(name)}$", re.MULTILINE).search(self._line, body)
        until = len(self._line) if end is None else end.start()
        text = self._line[body:until]
        if not quote and not escape and ("$(" in text or "`" in text):
            _Reader(f'"{text}"', self._parsed, self._depth + 1)._quoted()
            self._parsed.is_unclear |= '"' in text
        rest = "" if end is None else self._line[end.end() :]
        self._line = self._line[:body] + rest.removeprefix("\n")
        self._at = found.end()

    def _quoted(self) -> None:
        line = self._line
        self._add("")
        self._at += 1
        while self._at < len(line) and line[self._at] != '"':
            if line[self._at] == "\\":
                self._add(line[self._at + 1 : self._at + 2])
                self._at += 2
            elif line[self._at] in "$`":
                self._substitution()
            else:
                self._add(line[self._at])
                self._at += 1
        if self._at >= len(line):
            self._parsed.is_unclear = True
        self._at += 1

    def _substitution(self) -> None:
        line, at = self._line, self._at
        if line.startswith("$((", at):
            text = self._until("))", at + 3)
            self._parsed.is_unclear |= "$(" in text or "`" in text
            self._add("$((…))")
        elif line.startswith("$(", at):
            self._nested(at + 2)
        elif line.startswith("`", at):
            text = self._until("`", at + 1)
            _Reader(text, self._parsed, self._depth + 1).read()
            self._parsed.is_unclear |= "\\" in text
            self._add("`…`")
        elif line.startswith("$'", at):
            text = self._until("'", at + 2)
            self._parsed.is_unclear |= "\\" in text
            self._add(text)
        elif line.startswith("${", at):
            text = self._until("}", at + 2)
            # The default value of a variable may contain a substitution.
            self._parsed.is_unclear |= "$" in text or "`" in text or "(" in text
            self._add("${" + text + "}")
        else:
            self._add("$")
            self._at += 1

    def _nested(self, start: int) -> None:
        """Parse a substitution to its closing bracket; strings in it may contain brackets."""
        depth, at, quote = 1, start, ""
        while at < len(self._line) and depth:
            char = self._line[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            else:
                depth += (char == "(") - (char == ")")
            at += 1
        if depth:
            self._parsed.is_unclear = True
        _Reader(self._line[start : at - (not depth)], self._parsed, self._depth + 1).read()
        self._add("$(…)")
        self._at = at

    def _until(self, end: str, start: int) -> str:
        stop = self._line.find(end, start)
        if stop < 0:
            self._parsed.is_unclear = True
            stop = len(self._line)
        self._at = stop + len(end)
        return self._line[start:stop]


def _find(text: str, what: str, start: int) -> int:
    found = text.find(what, start)
    return len(text) if found < 0 else found


# How many words identify what a command does; for other programs, only the name does.
_TWO = re.compile(
    "bazel|brew|bun|cargo|cmake|composer|deno|docker|git|go|gradle|helm|ip|kubectl|make|mvn|npm|"
    "nvm|pip|pipenv|pnpm|podman|poetry|pulumi|pyenv|python|rake|rustup|systemctl|terraform|tmux|"
    "uv|yarn"
).fullmatch
_THREE = re.compile(
    "(aws|az|gcloud|gh) .*|(bun|cargo|npm|pnpm|yarn|uv) run|(npm|pnpm) exec|deno task|"
    "docker (compose|container|image)|git (config|remote|stash)"
).fullmatch
# Programs that run another program, whose first word does not name it.
_RUNNERS = re.compile(
    "bash|sh|zsh|dash|ksh|fish|env|sudo|doas|su|xargs|nohup|nice|time|timeout|eval|exec|source|[.]|"
    "command|builtin|find|parallel|ssh|watch|setsid|stdbuf"
).fullmatch


def always(words: Sequence[str]) -> str | None:
    """Return the pattern that the answer "always" allows; None if there is no safe pattern."""
    words = [word for word in words if not _ASSIGNMENT.match(word)]
    if not words or _RUNNERS(words[0]) or any(c in words[0] for c in "$`*?["):
        return None
    count = 2 if _TWO(words[0]) else 1
    if _THREE(" ".join(words[:2])):
        count = 3
    return " ".join([*words[:count], "*"])
