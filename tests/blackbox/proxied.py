"""A gateway in front of an upstream of the tests' own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tests.blackbox.gateway_on_bus import GatewayOnBus, gateway_on_bus, temporary_folder
from tests.fakes.http_upstream import HttpUpstream, http_upstream
from tests.raw_client import RawClient


class Proxied(NamedTuple):
    """A gateway process, and the upstream behind it."""

    gateway: GatewayOnBus
    upstream: HttpUpstream

    @property
    def url(self) -> str:
        """Where clients go."""
        return self.gateway.url

    def client(self) -> RawClient:
        """Return a new connection to the gateway."""
        return RawClient(self.gateway.url)


@contextmanager
def proxied(*flags: str, url: str = "http://127.0.0.1:{port}") -> Iterator[Proxied]:
    """Run both; `url` is where the gateway believes the upstream to be."""
    with temporary_folder() as folder, http_upstream() as upstream:
        where = url.format(port=upstream.port)
        given = ["--upstream", where, *flags]
        with gateway_on_bus(folder, *given) as gateway:
            yield Proxied(gateway, upstream)


def header(head: list[str], name: str) -> list[str]:
    """Return every value of a header."""
    parts = (line.partition(":") for line in head[1:])
    return [value.strip() for key, _, value in parts if key.lower() == name.lower()]


def headers_of(request: bytes) -> Mapping[str, str]:
    """Return the headers of a recorded request, by lower-case name; the last counts."""
    lines = request.decode("latin-1").split("\r\n")[1:-2]
    return {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
