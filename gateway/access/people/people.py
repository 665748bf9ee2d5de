"""The grants of people, from the file of ``--identities``, which is read again if it changes."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from bus.process.flags import BadFlag
from gateway.access.people.file import Identities, StoredGrants, read
from gateway.access.people.keys import with_whole_keys
from gateway.access.principal import Grant, Person, Principal

log = logging.getLogger("weir.gateway")


class People:
    """The grants of people.

    Args:
        path: the file with the grants. It is read here again, since a worker may be started long
            after the gateway has read its settings.
        has_header: people are also named by a trusted header.

    Attributes:
        version: a number that grows each time the file changes.
    """

    def __init__(self, path: Path, has_header: bool) -> None:
        self.version = 0
        self._path = path
        self._has_header = has_header
        self._content = Identities()
        self._stamp: tuple[int, ...] | None = None
        self._failed = False
        self.look()

    def principal(self, person: Person, expires: float | None = None) -> Principal:
        """Return the principal of a person; `expires`: when the person's JWT expires (Unix s)."""
        return Principal(person.name, self.grants(person), person.id, expires, person)

    def grants(self, person: Person) -> tuple[Grant, ...]:
        """Return a person's own and its groups' grants; without any, the file's default grants."""
        content = self._content
        own: list[StoredGrants] = [content.users.get(person.id, ())]
        own += [content.groups.get(f"{person.issuer}#{group}", ()) for group in person.groups]
        found = [grant for grants in own for grant in _grants(grants)] + list(person.claimed)
        return tuple(found) or _grants(content.default)

    def look(self) -> bool:
        """If the file has changed, read the file again; return whether it has changed.

        If the file cannot be read, this is logged once, people may do nothing, and the next call
        tries again.
        """
        stamp = self._stamped()
        if stamp == self._stamp and not self._failed:
            return False
        try:
            self._content = with_whole_keys(read(self._path), self._has_header)
        except BadFlag as error:
            if self._failed:
                return False
            self._content, self._failed = Identities(), True
            log.error(
                "every request of a person (JWT or trusted header) is refused until the file can "
                "be read: --identities: %s",
                error,
            )
        else:
            self._stamp, self._failed = stamp, False
        self.version += 1
        return True

    def _stamped(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path)
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size, found.st_ctime_ns


def _grants(stored: StoredGrants) -> tuple[Grant, ...]:
    return tuple(one.grant() for one in stored)
