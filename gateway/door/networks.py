"""The addresses of proxies that may say where a request came from."""

from __future__ import annotations

import ipaddress

from msgspec import Struct


class Networks(Struct, frozen=True):
    """Some networks."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def parse(cls, value: str) -> Networks:
        """Read addresses and networks, separated by commas.

        Raises:
            ValueError: one is neither.
        """
        words = [word.strip() for word in value.split(",")]
        return cls(tuple(ipaddress.ip_network(word) for word in words))

    def __contains__(self, address: str) -> bool:
        if not self.networks:
            return False
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False  # the client of a Unix socket
        return any(parsed in network for network in self.networks)

    def __str__(self) -> str:
        return ",".join(map(str, self.networks))
