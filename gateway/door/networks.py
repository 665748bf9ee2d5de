"""The addresses in ``--trusted-proxies``: proxies whose ``X-Forwarded-*`` headers are believed."""

from __future__ import annotations

import ipaddress

from msgspec import Struct

_MOST_HOPS = 16


class Networks(Struct, frozen=True):
    """A set of networks, of which an address may be a member; `str` joins them with commas."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def parse(cls, value: str) -> Networks:
        """Parse IP addresses and networks such as ``10.0.0.0/8``, separated by commas.

        Raises:
            ValueError: an item is neither an address nor a network.
        """
        words = [word.strip() for word in value.split(",")]
        return cls(tuple(ipaddress.ip_network(word) for word in words))

    def __contains__(self, address: str) -> bool:
        parsed = _parsed(address) if self.networks else None
        return parsed is not None and any(parsed in network for network in self.networks)

    def origin(self, peer: str, came_by: str) -> str:
        """Return the address of the client that sent a request, as trusted proxies report it.

        Each proxy appends the address of its own peer to ``X-Forwarded-For``. The last address
        that is not a trusted proxy is the client's: the client itself may have made up all
        addresses before it.

        Args:
            peer: the address of the connection's other end.
            came_by: the ``X-Forwarded-For`` of the request; may be empty.
        """
        nearest = peer
        for hop in reversed(came_by.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            if nearest not in self:
                break
            address = _parsed(_without_port(hop.strip()))
            if address is None:
                break
            nearest = str(address)
        return nearest

    def __str__(self) -> str:
        return ",".join(map(str, self.networks))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address; return None for other text, as for the client of a Unix socket."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # A socket bound to `::` reports the address of an IPv4 peer as ``::ffff:1.2.3.4``.
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _without_port(hop: str) -> str:
    """Return the address without the port that some proxies add: ``1.2.3.4:80``, ``[::1]:80``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
