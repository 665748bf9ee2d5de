"""The sender of a request (principal), and its grants: actions in certain folders and sessions.

The grants follow the idea of RFC 9396 (OAuth rich authorization requests).
"""

from __future__ import annotations

import enum

from msgspec import Struct

from gateway.relay.scope import Scope


class Action(enum.IntEnum):
    """What a route does. A grant for an action allows the smaller actions too."""

    READ = 1
    WRITE = 2
    ADMIN = 3
    """A change of the whole server, which affects all its users."""

    @property
    def word(self) -> str:
        """The action's name as users write it: read, write or admin."""
        return self.name.lower()


class Grant(Struct, frozen=True):
    """A permission to act in certain folders and sessions.

    Attributes:
        action: the greatest action that is allowed.
        scope: the folders and sessions in which the action is allowed; None: everywhere.
    """

    action: Action
    scope: Scope | None = None


class Person(Struct, frozen=True):
    """A person that a JWT or the header of a trusted proxy identifies.

    Attributes:
        name: the person's name.
        groups: the names of the person's groups.
        claimed: grants in the person's JWT, beside the grants in the file of ``--identities``.
        issuer: the issuer of the JWT; empty if a trusted proxy has named the person.
    """

    name: str
    groups: tuple[str, ...] = ()
    claimed: tuple[Grant, ...] = ()
    issuer: str = ""

    @property
    def id(self) -> str:
        """An id for the person, which differs from the ids of all tokens of weir."""
        return f"{self.issuer}#{self.name}"


class Principal(Struct, frozen=True):
    """The sender of a request.

    Attributes:
        name: the name that the audit log and error messages show.
        grants: what the principal may do; everything else is denied.
        id: id of the token or of the person; empty for the server's login.
        expires: when the principal's rights end, in seconds since the Unix epoch; None: never.
        person: the person, if the principal is a person.
    """

    name: str
    grants: tuple[Grant, ...]
    id: str = ""
    expires: float | None = None
    person: Person | None = None

    @property
    def key(self) -> str:
        """A text that differs for each principal; the limits are counted by it."""
        return self.id or self.name

    def may(self, action: Action) -> bool:
        """Return whether the principal may do an action in at least one folder or session."""
        return any(grant.action >= action for grant in self.grants)

    def scope(self, action: Action) -> Scope | None:
        """Return the folders and sessions in which an action is allowed; None: everywhere."""
        scopes = [grant.scope for grant in self.grants if grant.action >= action]
        directories: tuple[str, ...] = ()
        sessions: tuple[str, ...] = ()
        for scope in scopes:
            if scope is None:
                return None
            directories += scope.directories
            sessions += scope.sessions
        return Scope(tuple(sorted({*directories})), tuple(sorted({*sessions})))


def everything(name: str) -> Principal:
    """Return a principal that may do every action everywhere."""
    return Principal(name, (Grant(Action.ADMIN),))
