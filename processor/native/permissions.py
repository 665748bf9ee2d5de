"""Permissions of tools: the rules of a config, of a mode and of a session.

The rules apply as in an opencode:

1. A rule has a permission, a pattern and an action. ``*`` and ``?`` are wildcards in permission
   and pattern.
2. The last rule that matches counts; if no rule matches, a person is asked.
3. A need with several patterns is denied if any pattern is denied; otherwise a person is asked if
   any pattern needs it.
4. A rule for `write` is a rule for the calls of the tool `write` alone; a rule for `edit` is for
   all tools that change files.
5. A child session may do nothing that a rule of its parent's turn denies.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from processor.tools.tool import Need

Action = Literal["allow", "ask", "deny"]
Entry = Action | dict[str, Action]
_MOST_RULES = 1000


class PermissionRule(Struct, frozen=True):
    """One rule, in the form for clients."""

    permission: str
    pattern: str
    action: Action


Rules = Sequence[PermissionRule]
_NEEDED = {"write": "edit"}
"""The permissions of the tools that need a permission of another name."""

DEFAULT: Rules = (
    *(
        PermissionRule(name, "*", "allow")
        for name in ("read", "list", "glob", "grep", "todowrite", "todoread", "question", "task")
    ),
    *(PermissionRule("read", pattern, "ask") for pattern in ("*.env", "*.env.*")),
    PermissionRule("read", "*.env.example", "allow"),
    *(
        PermissionRule(name, "*", "ask")
        for name in ("bash", "edit", "webfetch", "external_directory")
    ),
)


class BadPermissions(ValueError):
    """A config of permissions cannot be used; the message gives the reason."""


class CallRules(Struct, frozen=True):
    """The permissions of a turn's calls.

    Attributes:
        own: the rules of the turn.
        limits: the rules of each turn that waits for this turn; only what they deny counts.
    """

    own: Rules = ()
    limits: tuple[Rules, ...] = ()

    def of(self, tool: str) -> CallRules:
        """Return the permissions of the calls of one tool."""
        return CallRules(_of_tool(tool, self.own), tuple(_of_tool(tool, r) for r in self.limits))

    def decide(self, need: Need, given: Rules = ()) -> Action:
        """Return the action for a need; `given`: the permissions that people have given."""
        if self.denying(need):
            return "deny"
        found = decide(need, self.own)
        return decide(need, [*self.own, *given]) if found == "ask" and given else found

    def denying(self, need: Need) -> list[PermissionRule]:
        """Return the rules for the permission of a need, from the rules that deny the need."""
        denying = [rules for rules in (self.own, *self.limits) if decide(need, rules) == "deny"]
        return [
            rule
            for rules in denying
            for rule in rules
            if matches(need.permission, rule.permission)
        ]

    def switch_off(self, tool: str) -> bool:
        """Return whether every call of a tool is denied; such a tool is not offered."""
        permission = _NEEDED.get(tool, tool)
        of_tool = self.of(tool)
        return any(_deny_all(permission, rules) for rules in (of_tool.own, *of_tool.limits))


def from_config(permission: Any, home: str) -> Rules:
    """Return the rules of a ``permission`` in opencode's form.

    Args:
        permission: an action, or for each tool an action or actions by pattern.
        home: replaces ``~`` and ``$HOME`` at the start of a pattern.

    Raises:
        BadPermissions: `permission` has another form.
    """
    try:
        given: Any = msgspec.convert(permission, Action | dict[str, Entry])
    except msgspec.ValidationError as error:
        raise BadPermissions(f"permission: {error}; allowed are allow, ask and deny") from None
    rules = [
        PermissionRule(tool, _expanded(pattern, home), action)
        for tool, entry in _by_name(given).items()
        for pattern, action in _by_name(entry).items()
    ]
    return _bounded(rules)


def of_session(permission: Any) -> Rules:
    """Return the rules that a new session's body gives.

    Args:
        permission: a list of rules, or a value that `from_config` takes.

    Raises:
        BadPermissions: `permission` has another form.
    """
    if not isinstance(permission, list):
        return from_config(permission, "~") if permission else ()
    try:
        rules = msgspec.convert(permission, list[PermissionRule])
    except msgspec.ValidationError as error:
        raise BadPermissions(f"permission: {error}") from None
    return _bounded(rules)


def of_switches(tools: Mapping[str, bool]) -> Rules:
    """Return the rules for the tools that a prompt switches on or off."""
    return [PermissionRule(name, "*", "deny") for name, wanted in tools.items() if not wanted]


def action_of(permission: str, pattern: str, rules: Iterable[PermissionRule]) -> Action:
    """Return the action of the last rule that matches; ``ask`` if none does."""
    found: Action = "ask"
    for rule in rules:
        if matches(permission, rule.permission) and matches(pattern, rule.pattern):
            found = rule.action
    return found


def decide(need: Need, rules: Rules) -> Action:
    """Return the action for a need."""
    actions = {action_of(need.permission, one, rules) for one in need.patterns or ["*"]}
    actions |= {action_of(need.permission, one, rules) for one in need.spellings} & {"deny"}
    return "deny" if "deny" in actions else "ask" if "ask" in actions else "allow"


def matches(text: str, wildcard: str) -> bool:
    """Return whether a wildcard matches a text: ``ls *`` also matches ``ls`` alone."""
    if wildcard in ("*", text):
        return True
    found = _pattern(wildcard).match(text) is not None
    return found or (wildcard.endswith(" *") and matches(text, wildcard[:-2]))


def _of_tool(tool: str, rules: Rules) -> Rules:
    """Return rules in which the rules for a tool are rules for the permission that it needs."""
    needed = _NEEDED.get(tool)
    if needed is None:
        return rules
    return [
        replace(rule, permission=needed)
        if matches(tool, rule.permission) and not matches(needed, rule.permission)
        else rule
        for rule in rules
    ]


def _deny_all(permission: str, rules: Rules) -> bool:
    last = [rule for rule in rules if matches(permission, rule.permission)][-1:]
    return bool(last) and last[0].pattern == "*" and last[0].action == "deny"


@lru_cache(maxsize=4096)
def _pattern(wildcard: str) -> re.Pattern[str]:
    # The pattern that fnmatch makes backtracks little, whatever the wildcard is.
    return re.compile(fnmatch.translate(wildcard.replace("[", "[[]")))


def _bounded(rules: Rules) -> Rules:
    if len(rules) > _MOST_RULES:
        raise BadPermissions(f"permission: {len(rules)} rules; at most {_MOST_RULES} are allowed")
    return rules


def _by_name(entry: Any) -> Mapping[str, Any]:
    return {"*": entry} if isinstance(entry, str) else entry


def _expanded(pattern: str, home: str) -> str:
    for begin in ("~", "$HOME"):
        if pattern == begin or pattern.startswith(begin + "/"):
            return os.path.join(home, pattern[len(begin) :].lstrip("/")).rstrip("/")
    return pattern
