"""The files of the console's web page, and their version: a hash of all files.

The version is in the URL of every file, so a browser may cache a file for ever, and relative
imports between modules lead to files of the same version.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_PAGE = "index.html"
_INLINE = "again.js"
_VERSION_DIGITS = 16


class File(Struct, frozen=True):
    """A file as it is served.

    Attributes:
        content_type: the media type.
        etag: a hash of the content, for the ``ETag`` header.
        data: the content.
        packed: the content, compressed by gzip.
    """

    content_type: str
    etag: str
    data: bytes
    packed: bytes


class Assets:
    """The page and all files that it loads; read at the first request for any of them."""

    @cached_property
    def named(self) -> dict[str, File]:
        """All files but the page itself, by folder and name, such as ``views/tail.js``."""
        return {name: file_of(name, data) for name, data in self._read.items() if name != _PAGE}

    @cached_property
    def version(self) -> str:
        """The hash of all files, which is in their URLs."""
        digest = hashlib.sha256()
        for name, data in sorted(self._read.items()):
            digest.update(b"%s %d " % (name.encode(), len(data)))
            digest.update(data)
        return digest.hexdigest()[:_VERSION_DIGITS]

    def page(self, base: str) -> File:
        """Return the page, with the version in the URLs of its files.

        Args:
            base: the relative URL from the page to ``/weir/console/``.
        """
        markup = self._read[_PAGE].replace(b"{base}", base.encode())
        markup = markup.replace(b"{version}", self.version.encode())
        return file_of(_PAGE, markup.replace(b"{again}", self._read[_INLINE]))

    @cached_property
    def inline_hash(self) -> str:
        """The hash of the script that the page holds itself, as a policy for scripts allows it."""
        return f"sha256-{base64.b64encode(hashlib.sha256(self._read[_INLINE]).digest()).decode()}"

    @cached_property
    def _read(self) -> dict[str, bytes]:
        return dict(_files(files(__package__) / "static"))


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one, f"{one.name}/")
        elif one.name.rpartition(".")[2] in _TYPES:
            yield path + one.name, one.read_bytes()


def file_of(name: str, data: bytes) -> File:
    """Return a file with its etag, compressed data and type (by the ending of its name)."""
    etag = hashlib.sha256(data).hexdigest()[:_VERSION_DIGITS]
    kind = _TYPES[name.rpartition(".")[2]]
    return File(kind, etag, data, gzip.compress(data, mtime=0))
