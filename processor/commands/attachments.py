"""Checks the files in a prompt: an unusable file is refused before the prompt is accepted.

Rules:

1. An image is a PNG, JPEG, GIF or WebP, in a ``data:`` URL or at an ``http:`` or ``https:`` URL.
   Its bytes decide its type, since clients guess the type from the file's name.
2. The file of a ``file:`` URL must lie in the session's directory after symlinks and ``..`` are
   resolved. An image or a text is read now, so that the model gets its content at the time of the
   prompt.
3. A file of any other type is stored with its URL, although a model cannot read the file; the
   model gets a note that the file exists.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from msgspec.structs import replace

from bus.answers import CommandFailed
from bus.bodies import FileInput, PartInput
from processor.commands.confined import UnusablePath, read_in
from processor.folders import Folders

_MIB = 1024 * 1024
MAX_IMAGE_BYTES = 20 * _MIB
MAX_TEXT_BYTES = 2 * _MIB
_KINDS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
_ALLOWED = f"allowed are {', '.join(_KINDS)}, at most {MAX_IMAGE_BYTES // _MIB} MiB"
_WHITE = bytes.maketrans(b"-_", b"+/"), b" \t\r\n"  # accept URL-safe base64 and white space


def admitted(parts: Sequence[PartInput], directory: str, folders: Folders) -> list[PartInput]:
    """Return the parts of a prompt as they are stored: the content of files is in ``data:`` URLs.

    Args:
        parts: the parts as the client sent them.
        directory: the session's directory.
        folders: reads files.

    Raises:
        CommandFailed: a file cannot be used; the message names the part.
    """
    return [
        _file(part, f"parts[{number}]", directory, folders)
        if isinstance(part, FileInput)
        else part
        for number, part in enumerate(parts)
    ]


def _file(part: FileInput, name: str, directory: str, folders: Folders) -> FileInput:
    kind, _, _ = part.mime.strip().lower().partition("/")
    try:
        scheme = urlsplit(part.url).scheme
        if scheme == "file":
            part = _read(part, kind, directory, folders)
        if kind == "image":
            part = _image(part)
    except (UnusablePath, ValueError) as error:
        raise CommandFailed("invalid", f"{name}.url: {error}") from None
    return part


def _read(part: FileInput, kind: str, directory: str, folders: Folders) -> FileInput:
    most = {"image": MAX_IMAGE_BYTES, "text": MAX_TEXT_BYTES}.get(kind)
    found = folders.run(directory, read_in, directory, part.url, most)
    if isinstance(found, UnusablePath):
        raise found
    if found is None:
        return part
    name = part.filename or os.path.basename(unquote(urlsplit(part.url).path))
    return replace(part, url=_data_url(part.mime, found), filename=name)


def _image(part: FileInput) -> FileInput:
    """Return an image in a form that model providers accept: an HTTP URL or a ``data:`` URL.

    Raises:
        UnusablePath: the URL is of another kind, or its data is not an image or is too large.
    """
    url = urlsplit(part.url)
    if url.scheme in ("http", "https") and url.hostname:
        return part
    if url.scheme != "data":
        raise UnusablePath(
            f"an image in a {url.scheme or 'relative'} URL; {_ALLOWED} in a data: URL"
        )
    data = _decoded(part.url)
    kind = next((kind for kind, form in _KINDS.items() if form.match(data)), None)
    if kind is None:
        raise UnusablePath(f"the data is not an image that models can read; {_ALLOWED}")
    if len(data) > MAX_IMAGE_BYTES:
        raise UnusablePath(f"the image has {len(data)} bytes; {_ALLOWED}")
    return replace(part, mime=kind, url=_data_url(kind, data))


def _decoded(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma:
        raise UnusablePath(f"a data: URL without a comma; {_ALLOWED}")
    data = unquote_to_bytes(body)
    if not head.lower().endswith(";base64"):
        return data
    plain = data.translate(*_WHITE).rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise UnusablePath(f"the data is not base64: {error}; {_ALLOWED}") from None


def _data_url(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
