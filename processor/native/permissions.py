"""Permission rules: which tool calls are allowed, denied, or need a person's answer.

A `Need` is what a tool call asks permission for: the name of a permission (such as ``bash``), and
patterns (such as the command). The rules apply as in opencode:

1. A rule has a permission, a pattern and an action: allow, ask or deny. ``*`` and ``?`` are
   wildcards in permission and pattern.
2. The last rule that matches a need decides; if no rule matches, a person is asked.
3. A need with several patterns is denied if one of the patterns is denied. Otherwise a person is
   asked if the action for one of the patterns is ``ask``.
4. A rule for ``write`` concerns only the tool ``write``; a rule for ``edit`` concerns all tools
   that change files.
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
    """One rule; the field names are those of opencode's HTTP API."""

    permission: str
    pattern: str
    action: Action


Rules = Sequence[PermissionRule]
_NEEDED = {"write": "edit"}
"""The name of the permission that a tool needs, by the tool's name, where the two differ."""

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
    """The permission rules that a user or a client gave are wrong; the message says why."""


class CallRules(Struct, frozen=True):
    """The rules that decide about the tool calls of a turn.

    Attributes:
        own: the rules of the turn itself.
        limits: the rules of each turn that waits for this turn. These rules can only deny: what
            they allow, the turn's own rules must allow too.
    """

    own: Rules = ()
    limits: tuple[Rules, ...] = ()

    def of(self, tool: str) -> CallRules:
        """Return the rules for calls of one tool (rule 4 above)."""
        return CallRules(_of_tool(tool, self.own), tuple(_of_tool(tool, r) for r in self.limits))

    def decide(self, need: Need, given: Rules = ()) -> Action:
        """Return the action for a need.

        `given` are rules from earlier answers "always" of a person; they count only where the
        action would otherwise be ``ask``.
        """
        if self.denying(need):
            return "deny"
        found = decide(need, self.own)
        return decide(need, [*self.own, *given]) if found == "ask" and given else found

    def denying(self, need: Need) -> list[PermissionRule]:
        """Return the rules to show to the model as the reason why a need is denied.

        The list is empty if the need is not denied.
        """
        denying = [rules for rules in (self.own, *self.limits) if decide(need, rules) == "deny"]
        return [
            rule
            for rules in denying
            for rule in rules
            if matches(need.permission, rule.permission)
        ]

    def switch_off(self, tool: str) -> bool:
        """Return whether every call of a tool is denied; such a tool is not offered to models."""
        permission = _NEEDED.get(tool, tool)
        of_tool = self.of(tool)
        return any(_deny_all(permission, rules) for rules in (of_tool.own, *of_tool.limits))


def from_config(permission: Any, home: str) -> Rules:
    """Return the rules of the value of ``permission`` in an opencode config.

    Args:
        permission: an action for all tools, such as ``"ask"``; or an object with an action for
            each tool, or with an object of actions by pattern: ``{"bash": {"ls *": "allow"}}``.
        home: replaces ``~`` and ``$HOME`` at the start of a pattern.

    Raises:
        BadPermissions: `permission` has another form, or too many rules.
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
    """Return the rules of the field ``permission`` in the request that creates a session.

    Args:
        permission: a list of rules, or a value that `from_config` accepts.

    Raises:
        BadPermissions: `permission` has another form, or too many rules.
    """
    if not isinstance(permission, list):
        return from_config(permission, "~") if permission else ()
    try:
        rules = msgspec.convert(permission, list[PermissionRule])
    except msgspec.ValidationError as error:
        raise BadPermissions(f"permission: {error}") from None
    return _bounded(rules)


def of_switches(tools: Mapping[str, bool]) -> Rules:
    """Return a rule for each tool that a prompt's field ``tools`` switches off.

    A tool that is switched on needs no rule: a prompt cannot give permissions.
    """
    return [PermissionRule(name, "*", "deny") for name, wanted in tools.items() if not wanted]


def action_of(permission: str, pattern: str, rules: Iterable[PermissionRule]) -> Action:
    """Return the action of the last rule that matches; ``ask`` if no rule matches."""
    found: Action = "ask"
    for rule in rules:
        if matches(permission, rule.permission) and matches(pattern, rule.pattern):
            found = rule.action
    return found


def decide(need: Need, rules: Rules) -> Action:
    """Return the action of some rules for a need (rules 2 and 3 above).

    The need's ``spellings`` are other forms of its patterns: a rule for one can only deny.
    """
    actions = {action_of(need.permission, one, rules) for one in need.patterns or ["*"]}
    actions |= {action_of(need.permission, one, rules) for one in need.spellings} & {"deny"}
    return "deny" if "deny" in actions else "ask" if "ask" in actions else "allow"


def matches(text: str, wildcard: str) -> bool:
    """Return whether a pattern with ``*`` or ``?`` matches; ``ls *`` also matches ``ls`` alone."""
    if wildcard in ("*", text):
        return True
    found = _pattern(wildcard).match(text) is not None
    return found or (wildcard.endswith(" *") and matches(text, wildcard[:-2]))


def _of_tool(tool: str, rules: Rules) -> Rules:
    """Return the rules for the calls of one tool.

    If the tool needs a permission of another name (``write`` needs ``edit``), rules for the tool's
    name become rules for that permission.
    """
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
    # fnmatch makes a regular expression that stays fast for any wildcard and text; a naive
    # translation of `*` could backtrack for ever. `[` is no wildcard here.
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
