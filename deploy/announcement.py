"""Announces to a person and to a service manager that everything is ready."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from typing import Any

from bus.process.entry import OutputLost, point_at_null
from bus.process.heart import Notifier

log = logging.getLogger("weir.up")

_ASK_S = 0.5
_NUMBER = re.compile(r"[0-9][0-9.]*")
_LOOPBACKS = {4: ("127.0.0.1",), 6: ("127.0.0.1", "::1")}


class Announcement:
    """Prints once that everything answers, and the address; logs why this is not so yet.

    Args:
        host: the gateway's host, as the person gave it.
        address: of the listening socket.
        manager: the service manager, which is notified too.
        path: the base path of the gateway; empty at the root.
        tls: the gateway speaks TLS.
    """

    def __init__(
        self,
        host: str,
        address: tuple[Any, ...],
        manager: Notifier,
        path: str = "",
        tls: bool = False,
    ) -> None:
        self._path, self._tls = path, tls
        self._manager = manager
        self._port = address[1]
        self._asked = _hosts_to_ask(address[0])
        self._everywhere = self._asked != (address[0],)
        self._host = host.strip("[]")
        self._made = False
        self._said: set[str] = set()

    def __call__(self) -> None:
        """Ask the gateway, and announce once it is ready; to be called again and again."""
        if self._made:
            return
        reasons = []
        for host in self._asked:
            self._made, reason = self._readiness(host)
            if self._made:
                self._announce(host if self._everywhere else self._host)
                return
            reasons.append(reason)
        for reason in filter(None, reasons):
            self._explain(reason)

    def _announce(self, host: str) -> None:
        self._manager.say("READY=1")
        url = _url(host, self._port, self._path, self._tls)
        words = f"weir is ready: {url}"
        try:
            print(f"{words}\nits console:   {url}/weir/console", flush=True)
        except OutputLost as error:
            # Clients do not need standard output: they are served without it.
            point_at_null(1)
            log.warning("%s (standard output cannot be written: %s)", words, error.strerror)

    def _explain(self, reason: str) -> None:
        """Log a reason once. Numbers in it are ignored in the comparison, since ages change."""
        kind = _NUMBER.sub("0", reason)
        if kind not in self._said:
            self._said.add(kind)
            log.warning("not ready yet: %s", reason)

    def _readiness(self, host: str) -> tuple[bool, str]:
        import http.client  # while the services start, which these 40 ms would keep waiting

        connection = http.client.HTTPConnection(host, self._port, timeout=_ASK_S)
        if self._tls:
            connection = http.client.HTTPSConnection(
                host, self._port, timeout=_ASK_S, context=_of_this_machine()
            )
        try:
            connection.request("GET", "/weir/readyz")
            said = json.loads(connection.getresponse().read())
            return bool(said["ready"]), ", ".join(said["reasons"])
        except (TimeoutError, ConnectionError, http.client.HTTPException, ValueError, KeyError):
            return False, ""  # the gateway is still starting, or restarting
        except OSError as error:
            return False, f"{host} cannot be asked: {error.strerror}"
        finally:
            connection.close()


def _of_this_machine() -> Any:
    """Return a TLS context that accepts any certificate.

    The certificate is for the name that clients use; here the gateway's own socket is asked.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def url_of(address: tuple[Any, ...], path: str = "") -> str:
    """Return the URL of a listening socket, for a client on this machine."""
    return _url(_hosts_to_ask(address[0])[0], address[1], path)


def _url(host: str, port: int, path: str, tls: bool = False) -> str:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{'https' if tls else 'http'}://{authority}{path}"


def _hosts_to_ask(listening: str) -> tuple[str, ...]:
    """Return the hosts to ask for a listening address: loopback for "all addresses"."""
    address = ipaddress.ip_address(listening.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return _LOOPBACKS[address.version] if mapped.is_unspecified else (listening,)
