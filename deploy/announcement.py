"""Announces that weir is ready: prints its address, and notifies the service manager (systemd)."""

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
    """Prints the address once, when the gateway says that it is ready; before, logs why it is not.

    Args:
        host: the value of ``--host``.
        address: the address of the listening socket.
        manager: notifies the service manager, if there is one.
        path: the value of ``--base-path``; empty if it is not set.
        tls: whether the gateway speaks TLS.
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
        """Ask the gateway whether it is ready, and announce this once; called at each tick."""
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
            # weir serves clients even if nothing can be printed any more. Later prints go to
            # /dev/null, so that they do not fail.
            point_at_null(1)
            # The address is logged instead, on standard error.
            log.warning("%s (standard output cannot be written: %s)", words, error.strerror)

    def _explain(self, reason: str) -> None:
        """Log a reason, unless it was logged before.

        Reasons that differ only in numbers count as the same reason, because "since 3 s" becomes
        "since 4 s".
        """
        kind = _NUMBER.sub("0", reason)
        if kind not in self._said:
            self._said.add(kind)
            log.warning("weir is not ready yet: %s", reason)

    def _readiness(self, host: str) -> tuple[bool, str]:
        # Imported only now: the import takes 40 ms, in which the services are starting already.
        import http.client

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
            return False, f"{host} port {self._port} cannot be reached: {error.strerror}"
        finally:
            connection.close()


def _of_this_machine() -> Any:
    """Return a TLS context that accepts any certificate.

    The certificate names the host that clients use, and here the gateway is asked at its address.
    That is safe, because the socket was opened by this process.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def url_of(address: tuple[Any, ...], path: str = "") -> str:
    """Return the URL with which a client on this machine reaches a listening socket."""
    return _url(_hosts_to_ask(address[0])[0], address[1], path)


def _url(host: str, port: int, path: str, tls: bool = False) -> str:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{'https' if tls else 'http'}://{authority}{path}"


def _hosts_to_ask(listening: str) -> tuple[str, ...]:
    """Return the hosts at which a listening address is reached from this machine.

    For "all addresses" (``0.0.0.0``, ``::``), these are the loopback addresses.
    """
    address = ipaddress.ip_address(listening.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return _LOOPBACKS[address.version] if mapped.is_unspecified else (listening,)
