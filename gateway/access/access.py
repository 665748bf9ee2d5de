"""Finds the sender of each request, and decides whether the request is served or refused."""

from __future__ import annotations

import logging
from collections.abc import Collection

import gevent
from msgspec import Struct

from gateway.access import browsers
from gateway.access.audit import Audit, Entry
from gateway.access.body_ids import BodyIds
from gateway.access.boundary import Boundary
from gateway.access.credentials import Credential, credential_of, hide_credentials
from gateway.access.failed_logins import FailedLogins
from gateway.access.identity import ANYBODY, Identity
from gateway.access.limits import PrincipalLimits
from gateway.access.lists import UpstreamLists
from gateway.access.people.jwt_form import BadJwt
from gateway.access.people.trusted_header import TrustedHeader
from gateway.access.principal import Action, Person, Principal
from gateway.access.rules import READS, Found, Place, Rules
from gateway.cors import Cors
from gateway.door.networks import Networks
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.upgrade import names_websocket
from gateway.relay.scope import Scope

log = logging.getLogger("weir.gateway")

_FILTERED = frozenset({Place.LIST, Place.CHILDREN, Place.EVERYWHERE})
_BASIC = ("WWW-Authenticate", 'Basic realm="Secure Area"')
# The challenge for a web page's requests: for Basic, a browser would show its own login dialog.
_BEARER = ("WWW-Authenticate", 'Bearer realm="weir"')
_RETRY_AFTER_S = 2
_LOOK_S, _LOOKS = 0.1, 30


class WrongCredential(Refusal):
    """The login or the token of a request is not valid."""


class Admission(Struct, frozen=True):
    """The decision that a request may be served.

    Attributes:
        principal: the sender; None if the route is public.
        scope: the folders and sessions in which the principal may do what the route does; None:
            everywhere.
        filters: the answer is a list of the upstream, and the principal only gets the items in
            its scope (`Access.list_for`).
    """

    principal: Principal | None = None
    scope: Scope | None = None
    filters: bool = False


class Access:
    """Decides whether requests are served or refused.

    Args:
        rules: knows what each route does.
        identity: finds the principal of a credential.
        boundary: checks the requests of principals with a scope.
        trusted: networks of proxies whose headers about a request's origin are believed.
        hosts: the names of this machine that ``Host`` may have without an identity.
        cors: knows which web pages may call.
        audit: writes the audit log of writes and refusals; None: there is no log.
        lists: reads lists from the upstream; None if weir runs without an upstream.
        limits: limits what each principal may use of a worker; None: no limits.
        header: reads the header in which a trusted proxy names the person; None: no such header.
        bodies: checks the ids in bodies for the upstream; None if weir runs without an upstream.

    Attributes:
        identity: finds the principal of a credential.
        boundary: checks the requests of principals with a scope.
        cors: knows which web pages may call.
    """

    def __init__(
        self,
        rules: Rules,
        identity: Identity,
        boundary: Boundary,
        trusted: Networks,
        hosts: Collection[str],
        cors: Cors,
        audit: Audit | None = None,
        lists: UpstreamLists | None = None,
        limits: PrincipalLimits | None = None,
        header: TrustedHeader | None = None,
        bodies: BodyIds | None = None,
    ) -> None:
        self.identity = identity
        self._rules = rules
        self.boundary = boundary
        self._trusted = trusted
        self._hosts = hosts
        self.cors = cors
        self._audit = audit
        self._lists = lists
        self._limits = limits
        self._header = header
        self._bodies = bodies
        self._failed = FailedLogins()

    def admit(self, request: Request, path: str) -> Admission:
        """Return the principal and scope of a request, or refuse it.

        Args:
            request: a request that is not answered yet; its `principal` is set.
            path: the path below weir's own base path, percent-encoded.

        Raises:
            Refusal: the request is refused.
        """
        if browsers.is_preflight(request):
            return self._preflight(request)
        found = self._rules.of(request.method, path)
        entry = self._entry(request, found)
        try:
            admission = self._judged(request, found)
        except Refusal:
            entry.always = True
            raise
        finally:
            entry.principal = request.principal
        if entry.always and not entry.session:
            entry.session = self.boundary.session_in(found) or ""
        return admission

    def _preflight(self, request: Request) -> Admission:
        """Admit a preflight without what says who sends it: no server needs that."""
        if self._header is not None:
            self._header.take(request)
        if self.identity.required:
            hide_credentials(request)
        return Admission()

    def _judged(self, request: Request, found: Found) -> Admission:
        action = found.rule.action
        person = None if self._header is None else self._header.take(request)
        opens_websocket = names_websocket(request.headers)
        if opens_websocket:
            action = max(action, Action.WRITE)
        if opens_websocket or request.method not in READS:
            browsers.check_origin(request, self.cors.may_call)
        if not self.identity.required:
            browsers.check_host(request, self._hosts)
            request.principal = ANYBODY
            self._take(request, found, ANYBODY)
            self._begin_turn(request, found, ANYBODY)
            return Admission(ANYBODY)
        if found.rule.place is Place.PUBLIC:
            return Admission()
        request.principal = self._principal(request, person)
        self._take(request, found, request.principal)
        admission = self._within_grants(request, found, action, request.principal)
        self._begin_turn(request, found, request.principal)
        return admission

    def _take(self, request: Request, found: Found, principal: Principal) -> None:
        if self._limits is not None:
            self._limits.take(request, found, principal)

    def _begin_turn(self, request: Request, found: Found, principal: Principal) -> None:
        if self._limits is not None:
            self._limits.begin_turn(request, found, principal)

    def _entry(self, request: Request, found: Found) -> Entry:
        """Return the audit's entry for a request, which is noted once the request is answered."""
        entry = request.entry
        entry.address = self.address_of(request.client, request.header(b"x-forwarded-for"))
        entry.always = request.method not in READS or names_websocket(request.headers)
        entry.session = found.params.get("session", "")
        if self._audit is not None:
            request.note = self._audit.note
        return entry

    def _within_grants(
        self, request: Request, found: Found, action: Action, principal: Principal
    ) -> Admission:
        if not principal.may(action):
            words = f"the token {principal.name!r} has no grant to {action.word}"
            raise Refusal(403, words)
        scope = principal.scope(action)
        if scope is not None:
            self.boundary.check(request, found, scope)
            # The check may have waited, and `Revocation` ends only what is admitted already.
            if not self.identity.holds(principal):
                raise self._challenge(request, f"the rights of {principal.name!r} have ended")
            if self._bodies is not None and action > Action.READ:
                self._bodies.check(request, found, scope)
        filters = found.rule.place in _FILTERED and scope is not None
        return Admission(principal, scope, filters and self._lists is not None)

    def list_for(self, request: Request) -> bytes:
        """Request a list from the upstream; return the items that are in the request's scope.

        Raises:
            Refusal: the upstream does not answer with a list.
        """
        assert self._lists is not None, "only an upstream's lists are filtered"
        assert request.scope is not None, "a request without a scope gets the whole list"
        return self._lists.of(request.target.decode("ascii"), request.headers, request.scope)

    def forget(self, request: Request) -> None:
        """Free what is kept of a request that has ended."""
        if self._bodies is not None:
            self._bodies.free(request)

    def _principal(self, request: Request, person: Person | None) -> Principal:
        credential = credential_of(request)
        origin = request.header(b"origin")
        if origin and not browsers.is_own_origin(origin, request):
            # A page of another origin gets no rights from a cookie: a browser also sends it for
            # pages of other ports of this host. A proxy may have found the person by a cookie.
            person = None
            credential = None if credential is not None and credential.cookie else credential
        if person is not None and (credential is None or credential.cookie):
            return self.identity.of_person(person)
        if credential is None:
            raise self._challenge(request, "this server asks for a login or a token")
        address = self.address_of(request.client, request.header(b"x-forwarded-for"))
        try:
            return self.principal_of(credential, address)
        except WrongCredential as wrong:
            if person is not None:  # a wrong credential is the proxy's own
                return self.identity.of_person(person)
            raise self._challenge(request, wrong.message) from wrong

    def principal_of(self, credential: Credential, address: str) -> Principal:
        """Return the principal of a credential that came from an address.

        Only wrong passwords delay the answers to their address: a token or a cookie cannot be
        guessed, and honest clients repeat one that has expired.

        Raises:
            WrongCredential: the credential is wrong or has expired.
            Refusal: this address has sent too many wrong passwords.
        """
        try:
            principal = self.identity.of_token(credential)
        except BadJwt as error:
            self._refused(address, is_guess=False)
            raise WrongCredential(401, f"the JWT is not valid: {error}") from None
        if principal is not None:
            return principal
        is_guess = self.identity.is_guess(credential)
        if is_guess:
            self._await_place(address)
            principal = self.identity.of_login(credential)
            if principal is not None:
                return principal
        self._refused(address, is_guess)
        raise WrongCredential(401, "the login or the token is wrong, or has expired")

    def _await_place(self, address: str) -> None:
        """Wait until an address has few delayed answers to wrong passwords (`FailedLogins`).

        Raises:
            Refusal: too many of its answers are still delayed after `_LOOKS` * `_LOOK_S` seconds.
        """
        for _ in range(_LOOKS):
            if not self._failed.barred(address):
                return
            gevent.sleep(_LOOK_S)
        words = "too many wrong passwords came from this address; try again"
        raise Refusal(429, words, (("Retry-After", str(_RETRY_AFTER_S)),))

    def address_of(self, peer: str, came_by: str) -> str:
        """Return the client's address: as trusted proxies report it, else the peer's address."""
        return self._trusted.origin(peer, came_by) if self._trusted.networks else peer

    def _refused(self, address: str, is_guess: bool) -> None:
        """Log a wrong credential, and delay the answer if it may be a guess at a password."""
        wait_s, is_first = self._failed.note(address, is_guess)
        if is_first:
            log.warning(
                "a login from %s is wrong; more of them in the next minute are not logged",
                address,
            )
        if wait_s:
            self._failed.begin_wait(address)
            try:
                gevent.sleep(wait_s)
            finally:
                self._failed.end_wait(address)

    def _challenge(self, request: Request, words: str) -> Refusal:
        from_page = request.header(b"sec-fetch-mode") not in ("", "navigate")
        return Refusal(401, words, (_BEARER if from_page else _BASIC,))
