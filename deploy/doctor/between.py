"""Finds proxies between client and server, from the head of a stream's answer."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.doctor.finding import Finding, ok, warn
from deploy.doctor.patient import PatientAnswer

SEND_AT_ONCE = (
    "switch buffering and compression off for /event and /global/event there: in nginx "
    "`proxy_buffering off; gzip off;`, see deploy/nginx.conf"
)


def check_between(answer: PatientAnswer, weir: bool) -> Iterator[Finding]:
    """Report proxies and their settings, as far as the head of the answer shows them."""
    headers = answer.headers
    encoding = headers.get("Content-Encoding", "")
    if encoding:
        words = f"a proxy compresses the stream ({encoding}), which may delay events"
        yield warn("proxy", words, SEND_AT_ONCE)
    signs = signs_of(answer)
    if weir and "no-transform" not in headers.get("Cache-Control", ""):
        words = "a proxy has changed Cache-Control: caches and compressors may interfere"
        yield warn("proxy", words, "let the proxy pass this header on unchanged")
    elif signs and not encoding:
        yield ok("proxy", f"a proxy is in between ({signs})")


def signs_of(answer: PatientAnswer) -> str:
    """Return the headers that show a proxy, empty if there are none."""
    names = ("Via", "X-Cache", "CF-RAY", "X-Varnish", "X-Served-By")
    found = [f"{name}: {value}" for name in names if (value := answer.headers.get(name))]
    server = answer.headers.get("Server", "")
    if server and not server.lower().startswith("gunicorn"):
        found.append(f"Server: {server}")
    return ", ".join(found)
