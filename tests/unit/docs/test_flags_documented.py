"""Flags and variables of the environment stand in the pages as they are in the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from acp_client import settings as acp
from bus.process.flags import HelpAsked
from deploy import files, pair, share, tail, token, up
from deploy.bench import command as bench
from deploy.doctor import command as doctor
from gateway import settings as gateway
from processor import settings as processor
from tests.processes import ROOT
from tests.unit.docs.pages import named, rows, section

PAGE = ROOT / "docs" / "operations.md"
USERS_PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("operations", "http", "acp", "publishing")),
]
PACKAGES = ("acp_client", "bus", "deploy", "gateway", "processor")
# Where the page says more than the code: these defaults depend on where weir is started.
SAID = {
    ("weir up", "--state"): "the XDG state folder",
    ("weir token", "--state"): "the XDG state folder",
    ("weir pair", "--state"): "the XDG state folder",
    ("weir acp", "--directory"): "the current folder",
}
# Without a flag, which a list of processes would show.
SECRETS = {"WEIR_MODEL_API_KEY", "WEIR_BUS_SECRET", "WEIR_REDIS_PASSWORD", "WEIR_TOKEN"}
# Read by libraries, or under a name that is put together.
READ_ELSEWHERE = {
    *("SSL_CERT_FILE", "TMPDIR", "LISTEN_FDS", "GUNICORN_FD", *SECRETS),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
}


def help_of(read: Callable[..., Any]) -> dict[str, str]:
    """The flags of a command, with their defaults, as its help lists them."""
    with pytest.raises(HelpAsked) as asked:
        read(["--help"], {"HOME": "/home/somebody"})
    found = re.findall(r"^  (--[a-z-]+).*\n((?:      .*\n?)*)", f"{asked.value}\n", re.MULTILINE)
    return {flag: _default(words) for flag, words in found}


def _default(words: str) -> str:
    if words.rstrip().endswith("; required"):
        return "required"
    if words.rstrip().endswith("; no default"):
        return "none"
    given = re.search(r"; default: (.*)$", words, re.MULTILINE)
    return f"`{given[1]}`" if given else "off"


COMMANDS = {
    "weir up": help_of(up.read),
    "weir acp": help_of(acp.read),
    "weir tail": help_of(tail.read),
    "weir doctor flags": help_of(doctor.read),
    "weir bench": help_of(bench.read),
    "weir token": help_of(token.read),
    "weir share": help_of(share.read),
    "weir pair": help_of(pair.read),
    "weir files": help_of(lambda argv, _: files.read(argv)),
    "weir gateway": help_of(gateway.read),
    "weir processor": help_of(processor.from_flags),
}
PARTS = ("weir gateway", "weir processor")


def table_of(heading: str) -> dict[str, str]:
    return {
        flag: default
        for flags, default, *_ in rows(section(PAGE, heading))
        for flag in named(flags)
    }


@pytest.mark.parametrize("heading", [name for name in COMMANDS if name not in PARTS])
def test_the_table_of_a_command_has_its_flags_and_their_defaults(heading):
    said = {flag: words for (name, flag), words in SAID.items() if name == heading}
    assert table_of(heading) == COMMANDS[heading] | said


@pytest.mark.parametrize("heading", PARTS)
def test_a_part_has_the_flags_of_its_table_and_those_it_shares_with_up(heading):
    own, code = table_of(heading), COMMANDS[heading]
    shared = set(named(section(PAGE, heading).partition("|")[0])) - {"weir up"}
    assert own == {flag: code[flag] for flag in own}
    assert shared | set(own) == set(code)
    assert shared <= set(COMMANDS["weir up"]) - set(own)


def test_the_table_of_commands_has_every_command():
    shown = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "--help"], capture_output=True, text=True, check=True
    )
    listed = {name for first, *_ in rows(section(PAGE, "The commands")) for name in named(first)}
    in_code = set(re.findall(r"^  (weir [a-z]+) ", shown.stdout, re.MULTILINE))
    assert in_code == {name for name in listed if name.startswith("weir ")}
    assert len(in_code) > 5


@pytest.mark.parametrize("page", USERS_PAGES, ids=lambda page: page.stem)
def test_every_flag_and_every_twin_that_a_page_names_exists(page):
    flags = {flag for flags in COMMANDS.values() for flag in flags}
    text = page.read_text()
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= flags | {"--help", "--directory"}
    twins = {"WEIR_" + flag[2:].upper().replace("-", "_") for flag in flags}
    assert set(re.findall(r"\bWEIR_[A-Z_]+", text)) <= twins | SECRETS | {"WEIR_"}


def variables_read() -> Iterator[str]:
    """The variables that the code reads from the environment, by literals and by constants."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    trees = [
        ast.parse(text)
        for text in (path.read_text() for path in files)
        if "environ" in text or "_VARIABLE" in text  # to parse all of them takes seconds
    ]
    constants: dict[str, str] = {}
    for tree in trees:
        constants |= _constants(tree)
    for tree in trees:
        names = constants | _constants(tree)
        for key in filter(None, map(_key, ast.walk(tree))):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value
            elif isinstance(key, ast.Name) and key.id in names:
                yield names[key.id]


def _key(node: ast.AST) -> ast.expr | None:
    """What a node asks of an environment, if it asks something."""
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        return node.slice
    asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
    return node.args[0] if asks and _is_environ(node.func.value) else None


def _is_environ(node: ast.expr) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == "environ"


def _constants(tree: ast.Module) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        pairs: Sequence[tuple[ast.expr, ast.expr]] = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, one in pairs:
            if isinstance(name, ast.Name) and isinstance(one, ast.Constant):
                found[name.id] = str(one.value)
    return found


def test_the_table_of_the_environment_has_every_variable_that_is_read():
    listed = {name for first, *_ in rows(section(PAGE, "Environment")) for name in named(first)}
    found = set(variables_read())
    assert {"OPENCODE_SERVER_PASSWORD", "XDG_STATE_HOME", "PYTHONPATH"} <= found
    assert found - listed == set()
    assert listed - found <= READ_ELSEWHERE
