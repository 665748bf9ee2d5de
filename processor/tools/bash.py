"""The tool `bash`: asks for permission to run a shell command, and runs it."""

from __future__ import annotations

import os
import re
from typing import Annotated

from msgspec import Meta, Struct

from processor.tools import clip, shell_words
from processor.tools.arguments import decoded, schema
from processor.tools.command import CommandEnd, Programs
from processor.tools.place import Places, ToolPath
from processor.tools.shell_words import Parsed
from processor.tools.spool import Spool, SpoolFile, where
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

TIMEOUT_MS = 120_000
MOST_TIMEOUT_MS = 3_600_000
MOST_COMMAND_BYTES = 100_000
"""The longest command in bytes: Linux refuses program arguments of more than 128 KiB."""
_TITLE_LENGTH = 200
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh")
# Programs whose arguments are paths. A path outside the session's directory needs permission.
_ON_FILES = re.compile(
    "cat|cd|chgrp|chmod|chown|cp|head|install|less|ln|ls|mkdir|more|mv|popd|pushd|rm|rmdir|rsync|"
    "tail|tee|touch|truncate|unlink"
).fullmatch
# Paths that only bash itself can resolve: it replaces variables and wildcards, and a wildcard in a
# folder's name may match a symbolic link.
_UNKNOWN = re.compile(r"[$`{\0]|^~[+\-0-9]|[*?\[].*/").search
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/")
_DESCRIPTION = f"""Runs a command with bash, and returns what it prints to stdout and stderr.

- Each call starts a new shell in the session's directory, or in `workdir`. Use `workdir` in place
  of `cd`.
- The command has no input and no terminal. It is ended after `timeout` milliseconds.
- When the command ends, every process that it has started is ended too, also in the background.
- Output of more than {clip.MOST_BYTES // 1024} KB is cut in the middle; the whole is in a file
  whose path you get. Read or search that file.
- To read, search, write and edit files use the tools for that."""


class BashArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `bash`."""

    command: Annotated[str, Meta(description="The command to run")]
    timeout: Annotated[
        int | None,
        Meta(description=f"Milliseconds after which the command is ended; {TIMEOUT_MS} if absent"),
    ] = None
    workdir: Annotated[
        str | None, Meta(description="The folder to run in; the session's directory if absent")
    ] = None
    description: Annotated[
        str | None, Meta(description="What the command does, in 5 to 10 words")
    ] = None


class Bash:
    """The tool `bash`.

    Args:
        programs: runs the processes.
        places: resolves paths, and asks for permission to leave the session's directory.
        spool: stores output that is too long for an event.
    """

    def __init__(self, programs: Programs, places: Places, spool: Spool) -> None:
        self._programs = programs
        self._places = places
        self._spool = spool

    def tool(self) -> Tool:
        return Tool("bash", _DESCRIPTION, schema(BashArguments), self.run)

    def run(self, arguments: object, call: Call) -> Outcome:
        """Wait until the command is allowed, run it, and return its output."""
        wanted = decoded(arguments, BashArguments, "bash")
        _check(wanted)
        folder = self._places.find(call, wanted.workdir or ".", "workdir")
        if not folder.is_folder:
            raise ToolFailed(f"workdir: {folder.real} is not a folder")
        self._ask(wanted.command, folder.real, call)
        said = {} if wanted.description is None else {"description": wanted.description}
        call.show(title=_title(wanted.command), metadata=said)
        try:
            with self._spool.file(call.session) as file:
                request = _request(wanted, folder, file)
                end = self._programs.run_command(request, lambda text: call.show(output=text))
        except OSError as error:
            raise ToolFailed(f"The command cannot be started: {error}") from None
        return _outcome(wanted, end, file, said)

    def _ask(self, command: str, folder: str, call: Call) -> None:
        parsed = shell_words.commands_of(command)
        if outside := self._outside(parsed, folder, call):
            patterns = [os.path.join(directory, "*") for directory in outside]
            metadata = {"command": command, "directories": outside, "patterns": patterns}
            call.need(Need("external_directory", patterns, patterns, metadata))
        call.need(bash_need(command, parsed))

    def _outside(self, parsed: Parsed, folder: str, call: Call) -> list[str]:
        """Return the folders outside the session's directory that a command line uses."""
        found = dict[str, None]()
        for path in _files(parsed):
            if not path.startswith(_HARMLESS) and not _UNKNOWN(path):
                place = self._places.look(call, os.path.join(folder, os.path.expanduser(path)))
                if not place.is_inside:
                    found[place.real if place.is_folder else os.path.dirname(place.real)] = None
        return list(found)


def _files(parsed: Parsed) -> list[str]:
    """Return the paths that a command line uses: redirections, and arguments of known programs."""
    named = list(parsed.targets)
    for words in (command.program() for command in parsed.commands):
        if words and _ON_FILES(words[0]):
            named += [word for word in words[1:] if not word.startswith("-")]
        if words == ["cd"]:
            named.append("~")
    return named


def bash_need(command: str, parsed: Parsed) -> Need:
    """Return the permission that a command line needs: a pattern for each simple command in it.

    If the line cannot be parsed with certainty, a pattern with the prefix `shell_words.UNCLEAR` is
    added, so that a person is asked unless a rule allows everything.
    """
    patterns = dict[str, None]()
    always = dict[str, None]()
    for simple in parsed.commands:
        if simple.words[0] == "cd":
            continue  # `cd` alone does nothing; the target folder needs its own permission
        patterns[simple.text] = None
        pattern = shell_words.always(simple.words)
        if pattern is not None:
            always[pattern] = None
        elif not any(c in simple.text for c in "*?"):
            always[simple.text] = None
    if parsed.is_unclear or not patterns or any(map(_UNKNOWN, _files(parsed))):
        patterns[shell_words.UNCLEAR + command] = None
    plain = [" ".join(simple.program()) for simple in parsed.commands]
    return Need("bash", list(patterns), list(always), {"command": command}, plain)


def unusable(command: str) -> str | None:
    """Return why bash cannot run a command; None if bash can."""
    if not command.strip():
        return "is empty; give a command"
    if "\0" in command:
        return "holds a NUL character, which no command can hold"
    if (size := len(command.encode(errors="replace"))) <= MOST_COMMAND_BYTES:
        return None
    return (
        f"{size} bytes, and at most {MOST_COMMAND_BYTES} are allowed; write a script to a file, "
        "and run the file"
    )


def _check(wanted: BashArguments) -> None:
    if (wrong := unusable(wanted.command)) is not None:
        raise ToolFailed(f"command: {wrong}")
    if wanted.timeout is not None and not 1 <= wanted.timeout <= MOST_TIMEOUT_MS:
        raise ToolFailed(
            f"timeout: {wanted.timeout} is not allowed; allowed is 1 to {MOST_TIMEOUT_MS} "
            "milliseconds"
        )


def _request(wanted: BashArguments, folder: ToolPath, file: SpoolFile) -> dict[str, object]:
    return {
        "argv": [_shell(), "-c", wanted.command],
        "directory": folder.real,
        "timeout_s": (wanted.timeout or TIMEOUT_MS) / 1000,
        "spool": file.path,
        "most": file.most,
    }


def _shell() -> str:
    return next((shell for shell in _SHELLS if os.path.exists(shell)), "sh")


def _outcome(
    wanted: BashArguments, end: CommandEnd, file: SpoolFile, said: dict[str, str]
) -> Outcome:
    is_cut = end.total > clip.MOST_BYTES
    output = end.head or "(no output)"
    metadata = {"output": end.shown, "exit": end.exit, "truncated": is_cut, **said}
    if is_cut:
        output = clip.joined(end.head, end.tail, end.total, _where(end, file))
    if end.kept:
        metadata |= file.pointer()
    if notes := _notes(wanted, end):
        output += "\n\n<shell_metadata>\n" + "\n".join(notes) + "\n</shell_metadata>"
    return Outcome(output, _title(wanted.command), metadata)


def _title(command: str) -> str:
    # Keep the title short: each progress event contains it, beside the whole command.
    return command if len(command) <= _TITLE_LENGTH else f"{command[: _TITLE_LENGTH - 1]}…"


def _where(end: CommandEnd, file: SpoolFile) -> str:
    if end.kept == end.total:
        return where(file.path)
    why = end.error or "the file would be too long"
    if not end.kept:
        return f"The whole could not be saved: {why}"
    return f"The first {end.kept} bytes are saved to: {file.path} ({why})"


def _notes(wanted: BashArguments, end: CommandEnd) -> list[str]:
    """Return remarks for the model about how the command ended."""
    notes = []
    if end.end == "timeout":
        notes.append(
            f"The command was ended after its timeout of {wanted.timeout or TIMEOUT_MS} ms. If it "
            "needs longer and waits for no input, call it with a larger timeout."
        )
    elif end.end == "abort":
        notes.append("The command was aborted.")
    elif end.signal is not None:
        notes.append(f"The command was ended by signal {end.signal}.")
    elif end.exit:
        notes.append(f"The command ended with exit status {end.exit}.")
    if end.left:
        notes.append(f"{end.left} processes that the command had left running were ended.")
    if end.stuck:
        notes.append(f"{end.stuck} processes could not be ended; they may belong to another user.")
    return notes
