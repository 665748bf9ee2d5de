"""The secret of a bus over TCP, to whose ports every user of the machine can connect.

The sockets of such a bus speak CURVE. The processor's key is derived from the secret. A peer that
does not know the processor's public key fails in the handshake. So only peers that know the secret
receive events and send commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import zmq
from zmq.utils import z85

from bus.process.flags import BadFlag, Flag, Kind
from bus.transport.endpoints import Endpoints

_LEAST = 32


def _secret(value: str) -> str:
    if len(value) < _LEAST:
        raise ValueError
    return value


BUS_SECRET = Flag(
    "bus-secret",
    Kind(_secret, f"at least {_LEAST} characters, the same for processors and gateways"),
    None,
    "the shared secret of a bus over TCP",
    secret=True,
)


def check_secret(buses: Iterable[Endpoints], secret: str | None) -> None:
    """Refuse a bus over TCP without a secret.

    Raises:
        BadFlag: a bus would be open to every user of this machine.
    """
    for bus in buses:
        if bus.folder is None and secret is None:
            raise BadFlag(
                f"--bus: every user of this machine can reach {bus.url!r}; set {BUS_SECRET.env} "
                f"({BUS_SECRET.kind.allowed}), or use ipc:///FOLDER"
            )


def secured(
    context: zmq.Context[zmq.Socket[bytes]], bus: Endpoints, secret: str | None, serves: bool
) -> zmq.Context[zmq.Socket[bytes]]:
    """Make a context use CURVE for all its sockets, if the bus needs that; return the context.

    Args:
        context: without sockets so far.
        bus: of the sockets.
        secret: of the bus.
        serves: the sockets are the processor's.
    """
    if bus.folder is not None or secret is None:
        return context
    key = z85.encode(hashlib.sha256(f"weir bus {secret}".encode()).digest())
    if serves:
        context.setsockopt(zmq.CURVE_SERVER, 1)
        context.setsockopt(zmq.CURVE_SECRETKEY, key)
    else:
        public, own = zmq.curve_keypair()
        context.setsockopt(zmq.CURVE_SERVERKEY, zmq.curve_public(key))
        context.setsockopt(zmq.CURVE_PUBLICKEY, public)
        context.setsockopt(zmq.CURVE_SECRETKEY, own)
    return context
