"""Which directory a request is about: ``?directory=`` or the header ``x-opencode-directory``.

The header is percent-encoded once. Some clients percent-encode the query parameter twice, and
opencode decodes it twice. weir decodes it a second time only if the leading slash is still encoded
after the first time, since a folder may really have ``%20`` in its name. Symbolic links are
resolved by the machine that has the folders (`gateway.folders`).
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote_to_bytes

from falcon import Request

from gateway.errors import BadRequest, RequestPart

_HEADER = "x-opencode-directory"
_QUERY = "directory"
LONGEST = 4096
"""The longest path, in bytes, that Linux accepts."""
MOST_PARTS = 256
"""The most slashes in a path, since to resolve a path takes time for each of its parts."""
_ENCODED_SLASH = "%2F"
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def directory_of(req: Request, default: str) -> str:
    """Return the directory that a request names, or `default`; relative paths are below `default`.

    Raises:
        BadRequest: the value is not a path.
    """
    return tidy(posixpath.join(default, spelt_directory(req) or ""))


def spelt_directory(req: Request) -> str | None:
    """Return the directory that a request names, as it is spelt; None if the request names none.

    The path may be relative. Newer SDKs send the query parameter, older SDKs the header.

    Raises:
        BadRequest: the value is not a path.
    """
    asked = [name for name in req.get_param_as_list(_QUERY) or () if name]
    if len(asked) > 1:
        raise BadRequest(
            f"{_QUERY}: given {len(asked)} times in the query; give it once", "Query", _QUERY
        )
    if asked:
        path = _checked(asked[0], "Query", _QUERY)
        is_encoded = path[: len(_ENCODED_SLASH)].upper() == _ENCODED_SLASH
        return _decoded_again(path) if is_encoded else path
    header = req.get_header(_HEADER)
    # WSGI decodes a header as Latin-1, but a client may have sent UTF-8.
    return _checked(_decoded(header.encode("latin-1")), "Headers", _HEADER) if header else None


def tidy(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and needless slashes."""
    return posixpath.normpath(f"/{path.lstrip('/')}")


def is_tidy(path: str) -> bool:
    """Return whether a path is absolute and in its shortest form."""
    return path.startswith("/") and tidy(path) == path


def _decoded(header: bytes) -> str:
    encoded = header if _BAD_ESCAPE.search(header) else unquote_to_bytes(header)
    return encoded.decode("utf-8", "replace")


def _decoded_again(text: str) -> str:
    decoded = _decoded(text.encode())
    return text if "\ufffd" in decoded else _checked(decoded, "Query", _QUERY)


def _checked(path: str, kind: RequestPart, field: str) -> str:
    if "\ufffd" in path:
        # Decoding has put U+FFFD for bytes that are not UTF-8. The directory with U+FFFD in its
        # name is not the directory that the client means.
        raise BadRequest(
            f"{field}: {path!r} is not UTF-8; percent-encode the UTF-8 bytes of the path",
            kind,
            field,
        )
    if len(path.encode()) > LONGEST:
        raise BadRequest(
            f"{field}: the path has {len(path.encode())} bytes; at most {LONGEST} are allowed",
            kind,
            field,
        )
    if (parts := path.count("/")) > MOST_PARTS:
        message = f"{field}: the path has {parts} slashes; at most {MOST_PARTS} are allowed"
        raise BadRequest(message, kind, field)
    if "\0" in path:
        raise BadRequest(f"{field}: {path!r} has a NUL in it, which no path may have", kind, field)
    return path
