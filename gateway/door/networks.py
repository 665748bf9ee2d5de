"""The addresses of proxies whose statements about a request's origin count."""

from __future__ import annotations

import ipaddress

from msgspec import Struct

_MOST_HOPS = 16


class Networks(Struct, frozen=True):
    """A set of networks."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def parse(cls, value: str) -> Networks:
        """Parse addresses and networks, separated by commas.

        Raises:
            ValueError: an item is neither.
        """
        words = [word.strip() for word in value.split(",")]
        return cls(tuple(ipaddress.ip_network(word) for word in words))

    def __contains__(self, address: str) -> bool:
        parsed = _parsed(address) if self.networks else None
        return parsed is not None and any(parsed in network for network in self.networks)

    def origin(self, peer: str, came_by: str) -> str:
        """Return the address from which a request came, as far as trusted proxies report it.

        Each proxy appends the address of its own peer to the list. The first address from the end
        that is not a trusted proxy is the client's. The client may have made up the addresses
        before it.

        Args:
            peer: the other end of the connection.
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
    """Parse an address; None for anything else, such as the client of a Unix socket."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # A socket bound to `::` reports the address of an IPv4 peer in this form.
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _without_port(hop: str) -> str:
    """Return the address of ``1.2.3.4:80`` or ``[::1]:80``: some proxies add the port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
