"""The keys of people and groups in the file of ``--identities``.

A source names people: an issuer of JWTs, or the header of ``--trusted-user-header``.

1. Two sources may use the same name for different people. So weir looks grants up by
   ``ISSUER#NAME``, and by ``#NAME`` for the header, which has no issuer and names no groups.
2. If there is one source only, a key may be the name alone.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from bus.process.flags import BadFlag
from gateway.access.people.file import Identities, StoredGrants

OF_HEADER = ""
"""Stands for the trusted header where an issuer is expected."""
_SHOWN = 100


def with_whole_keys(content: Identities, has_header: bool) -> Identities:
    """Return the file's content with ``ISSUER#NAME`` for each key of its users and groups.

    Args:
        content: the content of the file.
        has_header: people are also named by a trusted header.

    Raises:
        BadFlag: a key does not say which source names this person or group.
    """
    issuers = tuple(one.issuer for one in content.issuers)
    sources = (*issuers, OF_HEADER) if has_header else issuers
    return replace(
        content,
        users=_whole("users", content.users, sources, sources),
        groups=_whole("groups", content.groups, sources, issuers),
    )


def _whole(
    field: str,
    given: dict[str, StoredGrants],
    sources: Collection[str],
    naming: Collection[str],
) -> dict[str, StoredGrants]:
    """Return grants by whole keys; `naming`: the sources that name what `field` is about."""
    whole: dict[str, StoredGrants] = {}
    for key, grants in given.items():
        source, mark, _ = key.partition("#")
        name = key
        if not (mark and source in naming):
            if len(sources) > 1:
                allowed = " or ".join(repr(f"{one}#NAME") for one in naming)
                words = f"with several sources of people, allowed is {allowed}"
                raise BadFlag(f"{field}: {key[:_SHOWN]!r} names no source of people; {words}")
            name = f"{''.join(sources)}#{key}"
        if name in whole:
            raise BadFlag(f"{field}: {key[:_SHOWN]!r} is there twice, with and without its source")
        whole[name] = grants
    return whole
