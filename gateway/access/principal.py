"""The sender of a request, and its grants (after RFC 9396): actions in folders and sessions."""

from __future__ import annotations

import enum

from msgspec import Struct

from gateway.relay.scope import Scope


class Action(enum.IntEnum):
    """What a route does; each action includes the earlier ones."""

    READ = 1
    WRITE = 2
    ADMIN = 3
    """Concerns the whole server, or every user of it."""

    @property
    def word(self) -> str:
        """The action as users write it."""
        return self.name.lower()


class Grant(Struct, frozen=True):
    """A permission to do something.

    Attributes:
        action: allowed, and so is every action before it.
        scope: where; None for everywhere.
    """

    action: Action
    scope: Scope | None = None


class Person(Struct, frozen=True):
    """Somebody whom an issuer of JWTs, or a trusted proxy, identifies.

    Attributes:
        name: of the person.
        groups: of the person.
        claimed: grants that a JWT has.
        issuer: of the JWT; empty for a trusted proxy.
    """

    name: str
    groups: tuple[str, ...] = ()
    claimed: tuple[Grant, ...] = ()
    issuer: str = ""

    @property
    def id(self) -> str:
        """Identifies the person; no token of weir has such an id."""
        return f"{self.issuer}#{self.name}"


class Principal(Struct, frozen=True):
    """The sender of a request.

    Attributes:
        name: for people: in the audit and in errors.
        grants: what the principal may do; everything else is denied.
        id: of the token, or of the person; empty for the login.
        expires: seconds since the Unix epoch; None for never.
        person: the person, if the principal is one.
    """

    name: str
    grants: tuple[Grant, ...]
    id: str = ""
    expires: float | None = None
    person: Person | None = None

    @property
    def key(self) -> str:
        """Identifies the principal among all that there are."""
        return self.id or self.name

    def may(self, action: Action) -> bool:
        """Return whether the principal may do something in at least one place."""
        return any(grant.action >= action for grant in self.grants)

    def scope(self, action: Action) -> Scope | None:
        """Return where the principal may do something; None for everywhere."""
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
    """Return a principal that may do everything, everywhere."""
    return Principal(name, (Grant(Action.ADMIN),))
