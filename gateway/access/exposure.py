"""A gateway that requires no identity may only listen on loopback addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from bus.process.flags import BadFlag


def check_exposure(address: Any, is_open: bool, asks: bool) -> None:
    """Refuse to start a gateway that other machines can reach and that requires no identity.

    Args:
        address: the address of the listening socket.
        is_open: the user has allowed this with ``--open``.
        asks: the gateway requires a login or a token.

    Raises:
        BadFlag: every client that can reach the port could do everything.
    """
    if is_open or asks or is_loopback(address):
        return
    raise BadFlag(
        f"--host: {address[0]!r} can be reached from other machines, and weir requires no "
        "login; set OPENCODE_SERVER_PASSWORD, make a token (weir token create), listen on "
        "127.0.0.1, or give --open"
    )


def is_loopback(address: Any) -> bool:
    """Return whether only this machine can reach an address, which is true for a Unix socket."""
    if not isinstance(address, tuple):
        return True
    found = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
