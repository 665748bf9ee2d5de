"""Finds the commands in a shell command line, so that permission rules can be applied to each.

Rules:

1. Each simple command is checked by itself, so that a rule for ``git *`` does not allow ``git
   status; rm -rf ~``. Commands in ``$(…)``, in backquotes and in groups count too.
2. If part of the line cannot be parsed with certainty, the whole line must be allowed too, with
   the prefix `UNCLEAR`. A rule for everything (``*``) matches that text, but ``git *`` does not.
3. The parser knows a short list of plain forms of bash. Everything else counts as unclear, even if
   a person is then asked more often than necessary.
4. The parser guesses where a substitution ends. If the text inside is incomplete (an open quote,
   bracket, comment or here-document, or a bracket too many), the guess is wrong, and the line
   counts as unclear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import dropwhile

from msgspec import Struct, field

UNCLEAR = "(unclear) "
_ENDS = (";;&", ";;", ";&", "&&", "||", "|&", ";", "|", "\n", "&")
_RESERVED = re.compile(
    "if|then|elif|else|fi|while|until|for|do|done|case|esac|in|select|function|time|coproc|[!{}]"
).fullmatch
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=")
_DECLARES = re.compile("declare|typeset|local|export|readonly").fullmatch
# After these words, bash has a grammar of its own, which this parser does not know.
_UNKNOWN = re.compile(r"function|coproc|case|esac|\[\[").fullmatch
# Bash removes a backslash with the line end after it, and uses some control characters internally.
_ODD = re.compile(r"\\\n|[\x00-\x08\x0b-\x1f\x7f]").search
_HEREDOC = re.compile(
    r"<<(-?)[ \t]*(?:(?P<quote>['\"])(?P<name>[\w.!-]+)(?P=quote)|(?P<bare>[\w.-]+))"
    r"(?=[ \t\n;|&)]|\Z)"
)
# The text that may follow a here-document's name on its line: nothing that can span lines.
_AFTER_HEREDOC = re.compile(r"[^'\"`\\$#<(\n]*").match
_ARITHMETIC = re.compile(r"\$\(\([\d +*/%-]*\)\)").match
_VARIABLE = re.compile(r"\$\{[A-Za-z0-9_#%/:.*+-]*\}").match
_BACKQUOTED = re.compile(r"""[^`'"\\$#<>(){}]*""").fullmatch
_MOST_DEPTH = 20
_MOST_LENGTH = 20_000  # characters; a longer line would block the event loop too long


class Simple(Struct, frozen=True):
    """One simple command.

    Attributes:
        text: the command as in the line.
        words: the words of the command, without quotes.
    """

    text: str
    words: list[str]

    def program(self) -> list[str]:
        """Return the words without the variable assignments before the program's name."""
        return list(dropwhile(_ASSIGNMENT.match, self.words))


class Parsed(Struct):
    """The commands in a command line.

    Attributes:
        commands: the simple commands that were found.
        targets: the files that the line redirects to or from.
        is_unclear: whether the line may run other commands too, which were not found.
    """

    commands: list[Simple] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    is_unclear: bool = False


def commands_of(line: str) -> Parsed:
    """Return the commands in a command line; a very long line is not parsed (`is_unclear`)."""
    if len(line) > _MOST_LENGTH:
        return Parsed([Simple(line, line.split())], is_unclear=True)
    parsed = Parsed(is_unclear=_ODD(line) is not None)
    _Reader(line, parsed, 0).read()
    return parsed


class _Reader:
    """Parses a command line, or the text of one substitution in the line."""

    def __init__(self, line: str, parsed: Parsed, depth: int) -> None:
        self._line, self._parsed, self._depth = line, parsed, depth
        self._at = self._brackets = 0
        self._begin()
        if depth > _MOST_DEPTH:
            parsed.is_unclear = True
            self._at = len(line)

    def read(self) -> None:
        while self._at < len(self._line):
            self._step()
        self._end_command(self._at)
        self._parsed.is_unclear |= self._brackets != 0

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
            self._comment()
        elif char in "<>":
            self._redirection()
        elif (end := next((end for end in _ENDS if line.startswith(end, at)), None)) is not None:
            self._end_command(at)
            self._at += len(end)
            self._begin()
        elif char in "()":
            self._group(char)
        elif char in " \t":
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
            self._parsed.is_unclear |= self._is_unknown(word)
            if len(self._words) == 1 and _RESERVED(self._words[0]):
                self._start, self._words = self._at, []

    def _is_unknown(self, word: str) -> bool:
        """Return whether the last word may begin a construct that this parser does not know."""
        before = list(dropwhile(_ASSIGNMENT.match, self._words[:-1]))
        if before and not _DECLARES(before[0]):
            return False
        # Square brackets after a name are an array subscript. In a subscript, bash treats even
        # blanks and ";" as plain characters, which this parser does not.
        return _UNKNOWN(word) is not None or "[" in word[1:]

    def _comment(self) -> None:
        self._at = _find(self._line, "\n", self._at)
        # In a substitution that ends in a comment, the bracket that closed it may be in the
        # comment. Then the substitution goes on, so the guess was wrong.
        self._parsed.is_unclear |= self._depth > 0 and self._at == len(self._line)

    def _end_command(self, at: int) -> None:
        self._end_word()
        text = self._line[self._start : at].strip(" \t\n")
        if text and self._words:
            self._parsed.commands.append(Simple(text, self._words))
        self._words = []

    def _group(self, char: str) -> None:
        """Parse a bracket: of a subshell, of a function, or of a pattern in ``case``."""
        if char == "(" and (self._word is not None or self._words):
            self._parsed.is_unclear |= not self._line.startswith("()", self._at)
        self._brackets += 1 if char == "(" else -1
        # "((" begins an arithmetic command, which this parser does not know.
        self._parsed.is_unclear |= self._brackets < 0 or self._line.startswith("((", self._at)
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
            if self._word is not None and self._word.isdigit():
                self._word = None  # the number of a file descriptor, as in `2>log`
            self._end_word()
            self._is_target = True
            self._at += 2 if line.startswith((">&", "<&", ">>", "<>", ">|"), at) else 1

    def _heredoc(self) -> None:
        found = _HEREDOC.match(self._line, self._at)
        rest = None if found is None else _AFTER_HEREDOC(self._line, found.end())
        body = 0 if rest is None else rest.end() + 1
        if found is None or self._line[body - 1 : body] != "\n":
            self._parsed.is_unclear = True
            self._at += 2
            return
        tabs = r"\t*" if found[1] else ""
        name = found["name"] or found["bare"]
        end = re.compile(rf"^{tabs}{re.escape(name)}$", re.MULTILINE).search(self._line, body)
        until = len(self._line) if end is None else end.start()
        text = self._line[body:until]
        if found["bare"] and ("$" in text or "`" in text):
            _Reader(f'"{text}"', self._parsed, self._depth + 1)._quoted()
            self._parsed.is_unclear |= '"' in text
        self._parsed.is_unclear |= end is None
        after = "" if end is None else self._line[end.end() :]
        self._line = self._line[:body] + after.removeprefix("\n")
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
                self._substitution(in_quotes=True)
            else:
                self._add(line[self._at])
                self._at += 1
        if self._at >= len(line):
            self._parsed.is_unclear = True
        self._at += 1

    def _substitution(self, in_quotes: bool = False) -> None:
        line, at = self._line, self._at
        if line.startswith(("$((", "${", "$["), at):
            found = _ARITHMETIC(line, at) or _VARIABLE(line, at)
            self._parsed.is_unclear |= found is None
            text = "$" if found is None else found[0]
            self._add(text)
            self._at += len(text)
        elif line.startswith("$(", at):
            self._nested(at + 2)
        elif line.startswith("`", at):
            text = self._until("`", at + 1)
            _Reader(text, self._parsed, self._depth + 1).read()
            self._parsed.is_unclear |= _BACKQUOTED(text) is None
            self._add("`…`")
        elif line.startswith("$'", at) and not in_quotes:
            text = self._until("'", at + 2)
            self._parsed.is_unclear |= "\\" in text
            self._add(text)
        else:
            self._add("$")
            self._at += 1

    def _nested(self, start: int) -> None:
        """Parse a substitution up to its closing bracket; brackets in strings do not count."""
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


# Programs whose first two words (`_TWO`) or three words (`_THREE`) say what a command does, such
# as `git push`. For all other programs, the first word does.
_TWO = re.compile(
    "bazel|brew|bun|cargo|cmake|composer|deno|docker|git|go|gradle|helm|ip|kubectl|make|mvn|npm|"
    "nvm|pip|pipenv|pnpm|podman|poetry|pulumi|pyenv|rake|rustup|systemctl|terraform|tmux|"
    "uv|yarn"
).fullmatch
_THREE = re.compile(
    "(aws|az|gcloud|gh) .*|(bun|cargo|npm|pnpm|yarn|uv) run|(npm|pnpm) exec|deno task|"
    "docker (compose|container|image)|git (config|remote|stash)"
).fullmatch
# Programs that run other programs or code. So the answer "always" must not allow their name.
_RUNNERS = re.compile(
    "bash|sh|zsh|dash|ksh|fish|env|sudo|doas|su|xargs|nohup|nice|time|timeout|eval|exec|source|[.]|"
    "command|builtin|find|parallel|ssh|watch|setsid|stdbuf|trap|alias|enable|busybox|chroot|ionice|"
    "taskset|unshare|nsenter|strace|script|flock|(python|pypy|perl|ruby|php|lua|node|nodejs)[0-9.]*|"
    "irb|ts-node|tsx|npx|bunx|uvx|pipx|[gmn]?awk|g?sed|tar|bsdtar|vi|vim|nvim|ed|ex|emacs|gdb|"
    "osascript|expect|tclsh|Rscript|julia|java|groovy|scala"
).fullmatch


def always(words: Sequence[str]) -> str | None:
    """Return the pattern that a person's answer "always" allows, such as ``git status *``.

    Return None if there is no safe pattern, since the command can run any other program.
    """
    words = [word for word in words if not _ASSIGNMENT.match(word)]
    if not words or _RUNNERS(words[0]) or any(c in words[0] for c in "$`*?["):
        return None
    if _TWO(words[0]) and words[1:2] and words[1].startswith(("-", "+")):
        return None  # an option can run any program, for example "git -c alias.x=!ls x"
    count = 2 if _TWO(words[0]) else 1
    if _THREE(" ".join(words[:2])):
        count = 3
    return " ".join([*words[:count], "*"])
