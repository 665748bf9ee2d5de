"""The routes `/weir/console` and below: the console's web page and the files that it loads."""

from __future__ import annotations

from typing import cast

import falcon
from falcon import Request, Response

from gateway.console.assets import Assets, File
from gateway.door.own import RAW_PATH

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' '{inline_hash}'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
_CHECK_AGAIN = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


class ConsolePage:
    """The page, at `/weir/console` and at the URL of each of its views."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: Request, resp: Response, session: str = "") -> None:
        """Answer with the page; its links are relative, so they also work under a base path."""
        policy = _POLICY.format(inline_hash=self._assets.inline_hash)
        resp.set_header("Content-Security-Policy", policy)
        resp.set_header("Referrer-Policy", "no-referrer")
        _answer(req, resp, self._assets.page(base_of(_raw_path(req))), _CHECK_AGAIN)


class Asset:
    """The files that the page loads from one folder.

    Args:
        assets: all files.
        folder: the folder, with a slash at its end; empty for the top folder.
    """

    def __init__(self, assets: Assets, folder: str) -> None:
        self._assets = assets
        self._folder = folder

    def on_get(self, req: Request, resp: Response, version: str, name: str) -> None:
        """Answer with the file; browsers may cache it for ever, since its URL has a version."""
        file = self._assets.named.get(self._folder + name)
        if file is None or version != self._assets.version:
            raise falcon.HTTPNotFound(
                description=f"the console has no file {req.path[:200]!r}; reload its page"
            )
        _answer(req, resp, file, _FOR_EVER)


class Home:
    """The route ``/``, if there is no upstream to answer it."""

    def on_get(self, req: Request, resp: Response) -> None:
        """Redirect to the console, also under a base path or behind a proxy that adds a prefix."""
        base = req.root_path
        raise falcon.HTTPTemporaryRedirect(f"{base}/weir/console" if base else "weir/console")


def base_of(path: str) -> str:
    """Return the relative URL that leads from a URL of the page to ``/weir/console/``.

    Args:
        path: the path as the client sent it, since a slash at its end matters.
    """
    below = path.lower().replace("//", "/").rpartition("weir/console")[2]
    depth = below.count("/")
    return "../" * (depth - 1) or ("./" if depth else "console/")


def _raw_path(req: Request) -> str:
    return cast(str, req.env.get(RAW_PATH, req.path))


def _answer(req: Request, resp: Response, file: File, cache: str) -> None:
    resp.etag = file.etag
    resp.set_headers({"Cache-Control": cache, "X-Content-Type-Options": "nosniff"})
    resp.append_header("Vary", "Accept-Encoding")
    if any(tag == "*" or tag == file.etag for tag in req.if_none_match or ()):
        resp.status = falcon.HTTP_304
        return
    resp.content_type = file.content_type
    if "gzip" in (req.get_header("Accept-Encoding") or "").lower():
        resp.set_header("Content-Encoding", "gzip")
        resp.data = file.packed
    else:
        resp.data = file.data
