"""Where a gateway that requires no identity may listen: only on loopback addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from bus.process.flags import BadFlag


def check_exposure(address: Any, is_open: bool, asks: bool) -> None:
    """Refuse to listen beyond this machine without an identity.

    Args:
        address: of the listening socket.
        is_open: ``--open`` was given.
        asks: the gateway requires a login or a token.

    Raises:
        BadFlag: every client that reaches the port could do everything.
    """
    if is_open or asks or is_loopback(address):
        return
    raise BadFlag(
        f"--host: {address[0]!r} can be reached from other machines, and weir requires no "
        "login; set OPENCODE_SERVER_PASSWORD, make a token (weir token create), listen on "
        "127.0.0.1, or give --open"
    )


def is_loopback(address: Any) -> bool:
    """Return whether only this machine can reach an address; this is true for a Unix socket."""
    if not isinstance(address, tuple):
        return True
    found = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
