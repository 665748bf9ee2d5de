"""The tool `webfetch`: fetches a page from the web.

Rules:

1. Only ``http`` and ``https`` URLs are allowed. The URL needs permission, and so does the URL of
   each redirect. So a rule can exclude private addresses, and a redirect cannot bypass the rule.
2. The response has a size limit, and a deadline that begins when the request is sent.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urljoin, urlsplit

import gevent
import urllib3
from msgspec import Meta, Struct
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from bus.process.flags import BadFlag
from processor.fair_reads import fair
from processor.proxies import proxy_for
from processor.tools.arguments import decoded, schema
from processor.tools.command import Programs
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

MOST_BYTES = 5 * 1024 * 1024
TIMEOUT_S, MOST_TIMEOUT_S = 30.0, 120.0
PAGE_S = 20.0
REDIRECTS = 5
_READ_BYTES = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_IMAGES = frozenset(["image/png", "image/jpeg", "image/gif", "image/webp"])
_ACCEPT = {
    "markdown": "text/markdown, text/plain;q=0.8, text/html;q=0.7, */*;q=0.1",
    "text": "text/plain, text/markdown;q=0.9, text/html;q=0.8, */*;q=0.1",
    "html": "text/html, application/xhtml+xml;q=0.9, */*;q=0.1",
}
_DESCRIPTION = f"""Gets a page from the web by GET.

- HTML is returned as Markdown, or as `format` says. Images are returned as attachments.
- An answer has at most {MOST_BYTES // 1024 // 1024} MiB."""


class WebfetchArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `webfetch`."""

    url: Annotated[str, Meta(description="The URL, with http:// or https://")]
    format: Annotated[
        Literal["text", "markdown", "html"], Meta(description="What HTML is returned as")
    ] = "markdown"
    timeout: (
        Annotated[float, Meta(gt=0, le=MOST_TIMEOUT_S, description="Seconds; 30 if absent")] | None
    ) = None


class _Fetched(Struct):
    url: str
    kind: str
    data: bytes


class Webfetch:
    """The tool `webfetch`.

    Args:
        programs: runs the process that converts a page to text.
        environment: the variables that name the proxies, such as ``HTTPS_PROXY``.
    """

    def __init__(self, programs: Programs, environment: Mapping[str, str]) -> None:
        self._programs = programs
        self._environment = environment

    def tool(self) -> Tool:
        return Tool("webfetch", _DESCRIPTION, schema(WebfetchArguments), self.run)

    def run(self, arguments: object, call: Call) -> Outcome:
        """Wait until the URL is allowed, fetch the page, and return it as text or as an image."""
        wanted = decoded(arguments, WebfetchArguments, "webfetch")
        answer = self._fetched(wanted, call)
        title = f"{answer.url} ({answer.kind})"
        mime = answer.kind.partition(";")[0].strip().lower()
        if mime in _IMAGES:
            url = f"data:{mime};base64,{base64.b64encode(answer.data).decode()}"
            file = {"type": "file", "mime": mime, "url": url}
            return Outcome("Image fetched successfully", title, {}, [file])
        if b"\0" in answer.data[:4096]:
            raise ToolFailed(f"url: {answer.url} gives {mime or 'binary data'}, which is no text")
        text = answer.data.decode(_charset(answer.kind), errors="replace")
        if mime in ("text/html", "application/xhtml+xml") and wanted.format != "html":
            text = self._text(text, wanted.format)
        return Outcome(text, title, {})

    def _fetched(self, wanted: WebfetchArguments, call: Call) -> _Fetched:
        """Follow redirects, and return the final response."""
        url, left_s = wanted.url, wanted.timeout or TIMEOUT_S
        for _ in range(REDIRECTS + 1):
            _check(url)
            said = {"url": url, "format": wanted.format, "timeout": wanted.timeout}
            call.need(Need("webfetch", [url], ["*"], said))
            try:
                # Start the timeout only here: the time that a person takes to allow the URL does
                # not count.
                with gevent.Timeout(left_s, _TookTooLong):
                    answer = self._get(url, wanted.format)
            except _TookTooLong:
                raise ToolFailed(f"url: {url} has not answered within {left_s:g} s") from None
            except (HTTPError, OSError, UnicodeError) as error:
                raise ToolFailed(f"url: {url} cannot be fetched: {error}") from None
            if isinstance(answer, _Fetched):
                return answer
            url = urljoin(url, answer)
        raise ToolFailed(f"url: {wanted.url} redirects more than {REDIRECTS} times")

    def _get(self, url: str, form: str) -> _Fetched | str:
        """Send one request; return the response, or the URL to which it redirects."""
        headers = {"Accept": _ACCEPT[form], "User-Agent": "weir"}
        with self._pool(url) as pool:
            response = pool.request(
                "GET", url, headers=headers, retries=False, redirect=False, preload_content=False
            )
            try:
                where = response.headers.get("Location")
                if response.status in _REDIRECTS and where:
                    return where
                if not 200 <= response.status < 300:
                    raise ToolFailed(f"url: {url} answers with status {response.status}")
                return _Fetched(
                    url, response.headers.get("Content-Type", ""), _body(response, url)
                )
            finally:
                response.close()

    def _pool(self, url: str) -> urllib3.PoolManager:
        try:
            proxy = proxy_for(url, self._environment)
        except BadFlag as error:
            raise ToolFailed(f"url: {url} cannot be fetched: {error}") from None
        if proxy is None:
            return fair(urllib3.PoolManager())
        login = None if proxy.login is None else urllib3.make_headers(proxy_basic_auth=proxy.login)
        return fair(urllib3.ProxyManager(proxy.url, proxy_headers=login))

    def _text(self, html: str, form: str) -> str:
        request = {"kind": "page", "html": html, "format": form}
        results = gevent.with_timeout(
            PAGE_S, lambda: list(self._programs.work(request)), timeout_value=[]
        )
        return next((str(result["text"]) for result in results if "text" in result), html)


class _TookTooLong(Exception):
    pass


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isprintable() or " " in url:
        raise ToolFailed(
            f"url: {url!r} is not allowed; allowed is http://HOST/… or https://HOST/…"
        )
    if parts.username or parts.password:
        raise ToolFailed("url: a login in the URL is not allowed")


def _body(response: BaseHTTPResponse, url: str) -> bytes:
    body = bytearray()
    while data := response.read(_READ_BYTES, decode_content=True):
        body += data
        if len(body) > MOST_BYTES:
            raise ToolFailed(f"url: {url} gives more than {MOST_BYTES} bytes")
    return bytes(body)


def _charset(kind: str) -> str:
    named = kind.lower().partition("charset=")[2]
    name = named.partition(";")[0].strip(" \"'")
    try:
        "".encode(name or "utf-8")
    except (LookupError, UnicodeError, ValueError):
        return "utf-8"
    return name or "utf-8"
