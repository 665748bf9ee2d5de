"""Command-line flags, each with a ``WEIR_…`` twin in the environment.

A flag on the command line wins over its twin. For a bad value there is a one-line error that names
the flag, the value and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from bus.process.start_folder import as_text

REQUIRED: Final = object()


class BadFlag(ValueError):
    """A flag cannot be used; the message is one line for the user."""


class HelpAsked(Exception):
    """``--help`` was given; the message is the help text."""


class Kind(Struct, frozen=True):
    """The values that a flag takes.

    Attributes:
        parse: turns the text into the value; raises `ValueError`, or `BadFlag` to give a message
            of its own.
        allowed: describes what `parse` accepts.
    """

    parse: Callable[[str], Any]
    allowed: str


class Flag(Struct, frozen=True):
    """One setting.

    Attributes:
        name: without dashes, ``stall-timeout``; `read` returns it as ``stall_timeout``.
        kind: the values it takes.
        default: the parsed value if the flag is not given, or `REQUIRED`.
        help: one line.
        secret: only read from the environment, and never shown.
        many: may be given several times; `kind` parses all values, joined with commas.
        switch: may be given without a value, which means yes.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    secret: bool = False
    many: bool = False
    switch: bool = False

    @property
    def env(self) -> str:
        """Name of the flag's twin in the environment."""
        return "WEIR_" + self.name.upper().replace("-", "_")

    @property
    def key(self) -> str:
        """Name of the setting, as a Python identifier."""
        return self.name.replace("-", "_")


def text(allowed: str) -> Kind:
    """Return the kind of any text that is not blank."""

    def parse(value: str) -> str:
        if not value.strip() or not value.isprintable():
            raise ValueError
        return value

    return Kind(parse, allowed)


_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _yes_or_no(value: str) -> bool:
    if value.lower() not in _YES_OR_NO:
        raise ValueError
    return _YES_OR_NO[value.lower()]


def switch(name: str, help_text: str) -> Flag:
    """Return a flag that is off unless it is given."""
    return Flag(name, Kind(_yes_or_no, "yes or no"), False, help_text, switch=True)


def _folder(value: str) -> Path:
    # A file name that is not UTF-8 has lone surrogates here; they are not printable.
    if not value.strip() or not as_text(value).isprintable():
        raise ValueError
    try:
        return Path(value).absolute()
    except FileNotFoundError:
        raise BadFlag(
            f"{value!r} is relative, and the folder that weir was started in is deleted; "
            "give an absolute path"
        ) from None


FOLDER = Kind(_folder, "a folder")
FILE = Kind(_folder, "a file")


def whole(low: int, high: int) -> Kind:
    """Return the kind of a whole number from `low` to `high`."""
    return Kind(lambda value: _within(int(value), low, high), f"a whole number {low} to {high}")


def number(low: float, high: float, unit: str = "") -> Kind:
    """Return the kind of a number from `low` to `high`."""
    allowed = f"a number {low:g} to {high:g}" + (f" ({unit})" if unit else "")
    return Kind(lambda value: _within(float(value), low, high), allowed)


def one_of(*choices: str) -> Kind:
    """Return the kind of one of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError
        return value

    return Kind(parse, "one of " + ", ".join(choices))


def read(argv: Sequence[str], environ: Mapping[str, str], flags: Sequence[Flag]) -> dict[str, Any]:
    """Return the value of every flag by its `Flag.key`.

    Args:
        argv: ``--name VALUE`` or ``--name=VALUE``, without the program's name. If a flag is given
            twice, the last value counts, except for a flag that may be given several times.
        environ: contains the twins; an empty twin counts as not given.

    Raises:
        BadFlag: a flag is unknown or has a bad value, or a required flag is missing.
        HelpAsked: ``--help`` is in `argv`.
    """
    given = _given(argv, {flag.name: flag for flag in flags if not flag.secret}, flags)
    return {flag.key: _value(flag, given, environ) for flag in flags}


def _given(
    argv: Sequence[str], known: Mapping[str, Flag], flags: Sequence[Flag]
) -> dict[str, str]:
    given: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        if word in ("--help", "-h"):
            raise HelpAsked(_help(flags))
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            raise BadFlag(f"{word.partition('=')[0]}: unknown; allowed are --{', --'.join(known)}")
        if not equals and known[name].switch:
            value = "yes"
        elif not equals:
            value = next(words, "--")
            if value.startswith("--"):
                raise BadFlag(f"--{name}: no value given; allowed is {known[name].kind.allowed}")
        joined = known[name].many and name in given
        given[name] = f"{given[name]},{value}" if joined else value
    return given


def _value(flag: Flag, given: Mapping[str, str], environ: Mapping[str, str]) -> Any:
    if flag.name in given:
        return _parse(flag, f"--{flag.name}", given[flag.name])
    if environ.get(flag.env):
        return _parse(flag, flag.env, environ[flag.env])
    if flag.default is REQUIRED:
        raise BadFlag(f"--{flag.name}: missing; allowed is {flag.kind.allowed}")
    return flag.default


def _parse(flag: Flag, origin: str, value: str) -> Any:
    try:
        return flag.kind.parse(value)
    except BadFlag as error:
        raise BadFlag(f"{origin}: {error}") from None
    except ValueError:
        shown = "the value" if flag.secret else repr(value)
    raise BadFlag(f"{origin}: {shown} is not allowed; allowed is {flag.kind.allowed}")


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high or math.isnan(value):
        raise ValueError
    return value


def _help(flags: Sequence[Flag]) -> str:
    return "\n".join(_help_line(flag) for flag in flags)


def _help_line(flag: Flag) -> str:
    name = flag.env if flag.secret else f"--{flag.name} ({flag.env})"
    if flag.switch:
        return f"  {name}\n      {flag.help}"
    given = f"{flag.default:g}" if isinstance(flag.default, float) else flag.default
    default = "no default" if given is None else f"default: {given}"
    needed = "required" if flag.default is REQUIRED else default
    return f"  {name}\n      {flag.help}\n      allowed: {flag.kind.allowed}; {needed}"
