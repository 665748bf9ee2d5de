"""Creates the `Access` of a gateway from its settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

import gevent
import h11
import msgspec

from bus.answers import CommandFailed
from bus.commands import Describe, SessionGet
from bus.origin import Origin
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.access.access import Access
from gateway.access.audit import Audit
from gateway.access.body_ids import BodyIds
from gateway.access.boundary import Boundary
from gateway.access.brief_memory import BriefMemory
from gateway.access.browsers import names_of_this_machine
from gateway.access.cookies import Cookies
from gateway.access.identity import Identity
from gateway.access.limits import PrincipalBounds, PrincipalLimits
from gateway.access.lists import UpstreamLists
from gateway.access.people.people import People
from gateway.access.people.trusted_header import TrustedHeader
from gateway.access.principal import Principal
from gateway.access.rules import Rules
from gateway.access.tokens import Tokens
from gateway.access.whereabouts import IS_ID, Whereabouts
from gateway.bus_feeds import Feeds
from gateway.cors import Cors
from gateway.proxy.connection import NothingHeard
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header
from gateway.proxy.own_request import asked
from gateway.settings import MIB, GatewaySettings
from gateway.streams.readers import Readers

_ASK_WITHIN_S = 5.0
_LINKS_S = 2.0


class _Session(msgspec.Struct):
    directory: str


def access_of(
    settings: GatewaySettings,
    feeds: Feeds,
    readers: Readers,
    cors: Cors,
    key: bytes,
) -> Access:
    """Return the `Access` of a gateway.

    Args:
        settings: the settings of the gateway.
        feeds: sends commands to the processor, and knows the folder of an upstream.
        readers: the event streams of the worker, and the ledgers (known state) of all sources.
        cors: knows which web pages may call.
        key: the key that signs login cookies.
    """
    upstream = settings.upstream
    names = settings.allow_host.names if settings.allow_host else frozenset()

    def ask(session: str) -> str | None:
        if upstream is None:
            return _of_processor(feeds.requester, session)
        return _of_upstream(upstream, session)

    def default_folder() -> str | None:
        if upstream is None:
            return settings.directory
        folder = (feeds.memories[0].upstream or {}).get("directory")
        return folder if isinstance(folder, str) else None

    whereabouts = Whereabouts(readers.relay.ledgers, ask)
    lists = None
    if upstream is not None:
        lists = UpstreamLists(partial(_asked, upstream), whereabouts.folder)
    boundary = Boundary(whereabouts, default_folder, _resolver(feeds.requester, upstream))
    bodies = None
    if upstream is not None:
        message = partial(_message_of_upstream, upstream)
        most = settings.max_message * MIB
        bodies = BodyIds(boundary, readers.relay.ledgers, message, most, "--max-message")
    return Access(
        Rules(upstream is not None),
        identity_of(settings, key),
        boundary,
        settings.trusted_proxies,
        names | names_of_this_machine() | {settings.host.lower()},
        cors,
        None if settings.state is None else Audit(settings.state),
        lists,
        _limits(settings, readers),
        TrustedHeader(settings.trusted_user_header) if settings.trusted_user_header else None,
        bodies,
    )


def identity_of(settings: GatewaySettings, key: bytes) -> Identity:
    """Return the logins, tokens and people of a gateway; `key` signs login cookies."""
    tokens = None if settings.state is None else Tokens(settings.state)
    people, jwts = None, None
    if settings.identities is not None:
        people = People(settings.identities.path, settings.trusted_user_header is not None)
        issuers = settings.identities.content.issuers
        if issuers:
            from gateway.access.people.jwt_tokens import JwtTokens  # needs the extra [jwt]

            jwts = JwtTokens(issuers, people)
    return Identity(settings.login, tokens, Cookies(key), settings.own_token, people, jwts)


def _limits(settings: GatewaySettings, readers: Readers) -> PrincipalLimits:
    bounds = PrincipalBounds(
        settings.principal_requests,
        settings.principal_streams,
        settings.principal_turns,
        settings.principal_body,
    )

    def streams_of(principal: Principal) -> int:
        clients = (reader.client.principal for reader in readers)
        return sum(one is not None and one.key == principal.key for one in clients)

    def is_at_work(session: str) -> bool:
        known = (ledger.sessions.get(session) for ledger in readers.relay.ledgers.values())
        return any(one is not None and one.live for one in known)

    return PrincipalLimits(bounds, streams_of, is_at_work)


def _of_processor(requester: Requester, session: str) -> str | None:
    try:
        return _folder_in(requester.call(SessionGet(session)).body)
    except CommandFailed as error:
        if error.kind in ("not_found", "invalid"):
            return None
        raise Refusal(503, f"the folder of a session is not known: {error.message}") from error
    except (ProcessorGone, DeadlineExceeded) as error:
        raise Refusal(503, f"{error}; try again soon") from error


def _of_upstream(upstream: Origin, session: str) -> str | None:
    words = "the upstream does not say where a session is"
    status, body = _asked(upstream, f"/session/{session}", [], words)
    return _folder_in(body) if status == HTTPStatus.OK else None


def _message_of_upstream(upstream: Origin, session: str, message: str) -> bytes | None:
    if not IS_ID.fullmatch(message):
        return None
    words = "the upstream does not say whether a session has a message"
    status, body = _asked(upstream, f"/session/{session}/message/{message}", [], words)
    return body if status == HTTPStatus.OK else None


def _resolver(requester: Requester, upstream: Origin | None) -> Callable[[str], str]:
    """Return what resolves the symbolic links in a folder.

    The processor is asked each time, so that a changed link counts at once. To ask an upstream
    needs a new connection, so an upstream's answers are used for `_LINKS_S`.
    """
    if upstream is None:
        return partial(_resolved_by_processor, requester)
    resolved = BriefMemory(partial(_resolved_by_upstream, upstream), _LINKS_S)
    return lambda folder: _known(resolved.of(folder))


def _resolved_by_processor(requester: Requester, folder: str) -> str:
    try:
        found = _folder_in(requester.call(Describe("path", folder), _ASK_WITHIN_S).body)
    except (CommandFailed, ProcessorGone, DeadlineExceeded) as error:
        raise Refusal(503, f"a folder cannot be resolved: {error}; try again soon") from error
    return _known(found)


def _resolved_by_upstream(upstream: Origin, folder: str) -> str:
    named = (b"x-opencode-directory", quote(folder).encode())
    status, body = _asked(upstream, "/path", [named])
    if status == HTTPStatus.NOT_FOUND:
        return folder  # this upstream has no such route
    return _known(_folder_in(body) if status == HTTPStatus.OK else None)


def _known(folder: str | None) -> str:
    if folder is None:
        raise Refusal(503, "a folder cannot be resolved; try again soon")
    return folder


def _asked(
    upstream: Origin,
    target: str,
    headers: list[Header],
    words: str = "the upstream does not answer",
) -> tuple[int, bytes]:
    try:
        with gevent.Timeout(_ASK_WITHIN_S, TimeoutError()):
            return asked(upstream, target, headers)
    except (TimeoutError, NothingHeard, OSError, h11.ProtocolError) as error:
        raise Refusal(503, words) from error


def _folder_in(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Session).directory
    except msgspec.MsgspecError:
        return None
