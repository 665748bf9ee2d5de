"""Finds proxies between doctor and the server, from the headers of the answer to `GET /event`."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.doctor.examined_server import ExaminedAnswer
from deploy.doctor.finding import Finding, ok, warn

SEND_AT_ONCE = (
    "in the proxy, switch buffering and compression off for /event and /global/event (nginx: "
    "`proxy_buffering off; gzip off;`, see deploy/nginx.conf)"
)


def check_proxies(answer: ExaminedAnswer, weir: bool) -> Iterator[Finding]:
    """Report proxies that have changed the stream's headers, or that name themselves in them."""
    headers = answer.headers
    encoding = headers.get("Content-Encoding", "")
    if encoding:
        words = f"a proxy compresses the stream ({encoding}), which may delay events"
        yield warn("proxy", words, SEND_AT_ONCE)
    proxy = proxy_headers(answer)
    if weir and "no-transform" not in headers.get("Cache-Control", ""):
        words = (
            "a proxy has changed Cache-Control in the stream's headers, so caches may store the "
            "stream, and compressors may delay events"
        )
        yield warn("proxy", words, "have the proxy pass this header on unchanged")
    elif proxy and not encoding:
        yield ok("proxy", f"a proxy is in between ({proxy})")


def proxy_headers(answer: ExaminedAnswer) -> str:
    """Return the headers that only a proxy adds, as text; empty if there are none."""
    names = ("Via", "X-Cache", "CF-RAY", "X-Varnish", "X-Served-By")
    found = [f"{name}: {value}" for name in names if (value := answer.headers.get(name))]
    server = answer.headers.get("Server", "")
    if server and not server.lower().startswith("gunicorn"):
        found.append(f"Server: {server}")
    return ", ".join(found)
