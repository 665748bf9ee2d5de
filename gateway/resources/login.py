"""``/weir/login``: the console's page exchanges a token or a password for an HttpOnly cookie."""

from __future__ import annotations

import falcon
import msgspec
from falcon import Request, Response

from gateway.access.access import Access
from gateway.access.cookies import LASTS_S
from gateway.access.credentials import COOKIE, Credential
from gateway.access.principal import Action, Principal
from gateway.door.own import ENTRY, PRINCIPAL
from gateway.proxy.failures import Refusal
from gateway.resources.answer import answer
from gateway.resources.intake import BodyIntake


class LoginBody(msgspec.Struct):
    """The body of a login: a token, or a user and a password."""

    token: str = ""
    user: str | None = None
    password: str = ""


_LOGIN = msgspec.json.Decoder(LoginBody)


class LoginRoute:
    """The login of the console.

    Args:
        access: checks the credential, and delays the answers to wrong passwords.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._intake = BodyIntake(0)

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer with the name and rights of the request's principal (its sender)."""
        resp.cache_control = ["no-store"]
        answer(resp, _shown(req.env[PRINCIPAL]))

    def on_post(self, req: Request, resp: Response) -> None:
        """Check the credential in the body, and set the cookie."""
        with self._intake.small(req, _LOGIN) as body:
            credential = Credential(body.user, body.token or body.password)
        address = self._access.address_of(
            req.remote_addr or "", req.get_header("X-Forwarded-For") or ""
        )
        principal = req.env[ENTRY].principal = self._access.principal_of(credential, address)
        if not principal.grants:
            raise Refusal(403, f"{principal.name!r} has no grants here")
        self._set(req, resp, self._access.identity.cookie_for(principal), LASTS_S)
        resp.cache_control = ["no-store"]
        answer(resp, _shown(principal))

    def on_delete(self, req: Request, resp: Response) -> None:
        """Log out: remove the cookie."""
        self._set(req, resp, "", 0)
        resp.status = falcon.HTTP_204

    def _set(self, req: Request, resp: Response, value: str, lasts_s: int) -> None:
        resp.set_cookie(
            COOKIE,
            value,
            max_age=lasts_s,
            path=f"{req.root_path}/",
            http_only=True,
            same_site="Strict",
            # Only with TLS: without TLS, a browser never sends a `secure` cookie back.
            secure="https" in (req.scheme, req.get_header("X-Forwarded-Proto")),
        )


def _shown(principal: Principal) -> bytes:
    action = max(grant.action for grant in principal.grants)
    scope = principal.scope(Action.READ)
    shown = {"name": principal.name, "action": action.word, "scope": scope}
    return msgspec.json.encode({**shown, "expires": principal.expires})
