"""Where a gateway that asks for no identity may listen: at loopback addresses alone."""

from __future__ import annotations

import ipaddress
from typing import Any

from bus.process.flags import BadFlag


def check_exposure(address: Any, is_open: bool, asks: bool) -> None:
    """Refuse to listen beyond this machine without an identity.

    Args:
        address: of the socket that listens.
        is_open: ``--open`` was given.
        asks: the gateway asks for a login or a token.

    Raises:
        BadFlag: everybody who reaches the port could do everything.
    """
    if is_open or asks or is_loopback(address):
        return
    raise BadFlag(
        f"--host: {address[0]!r} is reached from other machines, and weir would ask nobody for a "
        "login; set OPENCODE_SERVER_PASSWORD, make a token (weir token create), listen on "
        "127.0.0.1, or say --open"
    )


def is_loopback(address: Any) -> bool:
    """Tell whether only this machine reaches an address; a Unix socket is of this machine."""
    if not isinstance(address, tuple):
        return True
    found = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
