"""Slash commands, which become prompts: weir's own ``/init``, and the commands of the project.

A command of the project is a file ``.opencode/command/NAME.md`` (or ``commands/``) in the
session's directory. The file has lines of ``field: value`` between two ``---``, then the template
of the prompt.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from bus.answers import CommandFailed
from bus.bodies import ModelInput, PromptBody, SlashBody, TextInput
from processor.commands.confined import UnusablePath, read_in

_FOLDERS = (".opencode/command", ".opencode/commands")
_MOST_COMMANDS = 200
_MOST_FILES = 10_000
_MOST_BYTES = 64 * 1024
_PLACE = re.compile(r"\$(\d{1,2}|ARGUMENTS)")
_RUNS = re.compile(r"!`[^`]+`")
_FRONT = re.compile(r"---\r?\n(.*?)\r?\n---\r?\n?", re.DOTALL)

_INIT = """\
Write the file AGENTS.md for this project, or improve the file if it exists.

AGENTS.md helps an agent that has never seen the project. It holds what such an agent would
otherwise get wrong: how to build, test and lint; how to run a single test; how the folders are
laid out; which conventions the code keeps. Read the README, the manifests, the configuration of
tests and CI, and instructions that exist already, before you write. Write what you have verified,
in short lines. Leave out what is obvious.

$ARGUMENTS
"""


class SlashCommand(Struct, omit_defaults=True, kw_only=True):
    """A command as clients receive it; `acp_client.protocol.wire` has a copy of this type."""

    name: str
    template: str
    hints: list[str]
    description: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    source: str = "command"

    @classmethod
    def of(cls, name: str, template: str, **about: Any) -> SlashCommand:
        """Return a command; its hints are the placeholders in the template (``$1``)."""
        hints = sorted({match[0] for match in _PLACE.finditer(template)})
        return cls(name=name, template=template, hints=hints, source="command", **about)


def commands(directory: str) -> list[SlashCommand]:
    """Return weir's commands and those of a directory, which replace weir's of the same name.

    Call this in a thread, since it reads files.
    """
    init = SlashCommand.of("init", _INIT, description="write AGENTS.md for this project")
    found = {init.name: init}
    for folder in _FOLDERS:
        if not _is_inside(directory, folder):
            continue
        for file in _files(Path(directory) / folder):
            name = str(file.relative_to(Path(directory) / folder).with_suffix(""))
            command = _read(directory, name, file)
            if command is not None:
                found[name] = command
    return list(found.values())


def prompt_of(body: SlashBody, commands: Sequence[SlashCommand]) -> PromptBody:
    """Return the prompt that one of `commands` stands for: its template with the arguments.

    Raises:
        CommandFailed: the command does not exist, its template runs shell commands, or `model` is
            not ``provider/model``.
    """
    known = {one.name: one for one in commands}
    command = known.get(body.command)
    if command is None:
        message = f"command: {body.command!r} is unknown; allowed: {', '.join(known)}"
        raise CommandFailed("invalid", message, field="command")
    if _RUNS.search(command.template):
        raise CommandFailed(
            "invalid",
            f"command: the template of {body.command!r} runs shell commands, which weir does not",
            field="command",
        )
    return PromptBody(
        parts=[TextInput(text=_filled(command.template, body.arguments)), *body.parts],
        messageID=body.messageID,
        model=_model(body.model or command.model or None),
        agent=body.agent or command.agent or None,
        variant=body.variant,
    )


def _filled(template: str, arguments: str) -> str:
    """Return a template with the arguments in its placeholders (``$1``, ``$ARGUMENTS``).

    The placeholder with the highest number takes all remaining arguments. If the template has no
    placeholder, the arguments are appended.
    """
    words = _words(arguments)
    places = [int(match[1]) for match in _PLACE.finditer(template) if match[1].isdigit()]

    def argument(match: re.Match[str]) -> str:
        if match[1] == "ARGUMENTS":
            return arguments
        number = int(match[1])
        taken = words[number - 1 :] if number == max(places) else words[number - 1 : number]
        return " ".join(taken) if number else match[0]

    filled = _PLACE.sub(argument, template)
    if arguments.strip() and not _PLACE.search(template):
        filled = f"{filled}\n\n{arguments}"
    return filled.strip()


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError:  # the arguments have a quote without an end
        return arguments.split()


def _model(name: str | None) -> ModelInput | None:
    if name is None:
        return None
    provider, slash, model = name.partition("/")
    if not (provider and slash and model):
        message = f"model: {name!r} is not allowed; allowed is provider/model"
        raise CommandFailed("invalid", message, field="model")
    return ModelInput(provider, model)


def _is_inside(directory: str, folder: str) -> bool:
    """Return whether a folder is in the directory after links are resolved."""
    root = os.path.realpath(directory)
    return os.path.commonpath([root, os.path.realpath(os.path.join(root, folder))]) == root


def _files(folder: Path) -> Iterator[Path]:
    count = walked = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".md"):
                yield Path(place) / name
                count += 1
            walked += 1
            if count == _MOST_COMMANDS or walked == _MOST_FILES:
                return


def _read(directory: str, name: str, file: Path) -> SlashCommand | None:
    """Return the command in a file; None if the file cannot be read."""
    data = read_in(directory, file.as_uri(), _MOST_BYTES)
    if data is None or isinstance(data, UnusablePath):
        return None
    text = data.decode("utf-8", "replace")
    front = _FRONT.match(text)
    fields = {} if front is None else _fields(front[1])
    template = text if front is None else text[front.end() :]
    about = {key: fields[key] for key in ("description", "agent", "model") if fields.get(key)}
    return SlashCommand.of(name, template.strip(), **about)


def _fields(front: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in front.splitlines())
    return {name.strip(): value.strip().strip("'\"") for name, colon, value in pairs if colon}
