"""Which directory a request is about, as an opencode reads it.

A query is form-encoded, the header is URI-encoded. An opencode decodes a query's directory once
more. weir does so only where the slash in front is still encoded: a folder may have ``%20`` in its
name, and an SDK that spells such a folder in both places means one folder. Symbolic links are
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
_LONGEST = 4096
"""What Linux takes for a path."""
_MOST_PARTS = 256
"""A look at a path takes time for each of its parts, and for each part of the folders above it."""
_ENCODED_SLASH = "%2F"
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def directory_of(req: Request, default: str) -> str:
    """The directory of a request: ``?directory``, or its header, or the default.

    Raises:
        BadRequest: it is not a path.
    """
    return tidy(posixpath.join(default, spelt_directory(req) or ""))


def spelt_directory(req: Request) -> str | None:
    """The directory that a request names, which may be relative; None if it names none.

    Newer SDKs send the query parameter, older ones the header.

    Raises:
        BadRequest: it is not a path.
    """
    asked = [name for name in req.get_param_as_list(_QUERY) or () if name]
    if len(asked) > 1:
        raise BadRequest(f"{_QUERY}: given {len(asked)} times; once is allowed", "Query", _QUERY)
    if asked:
        path = _checked(asked[0], "Query", _QUERY)
        is_encoded = path[: len(_ENCODED_SLASH)].upper() == _ENCODED_SLASH
        return _decoded_again(path) if is_encoded else path
    header = req.get_header(_HEADER)
    # WSGI hands over a header's bytes as Latin-1; a client may have sent them raw, in UTF-8.
    return _checked(_decoded(header.encode("latin-1")), "Headers", _HEADER) if header else None


def tidy(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and needless slashes."""
    return posixpath.normpath(f"/{path.lstrip('/')}")


def is_tidy(path: str) -> bool:
    """Tell whether a path is absolute, and spelt in the shortest way."""
    return path.startswith("/") and tidy(path) == path


def _decoded(header: bytes) -> str:
    encoded = header if _BAD_ESCAPE.search(header) else unquote_to_bytes(header)
    return encoded.decode("utf-8", "replace")


def _decoded_again(text: str) -> str:
    decoded = _decoded(text.encode())
    return text if "\ufffd" in decoded else _checked(decoded, "Query", _QUERY)


def _checked(path: str, kind: RequestPart, field: str) -> str:
    if "\ufffd" in path:
        # Falcon and `spelt_directory` put this where bytes are not UTF-8: another directory.
        raise BadRequest(f"{field}: {path!r} is not UTF-8", kind, field)
    if len(path.encode()) > _LONGEST:
        raise BadRequest(f"{field}: the path is longer than {_LONGEST} bytes", kind, field)
    if (parts := path.count("/")) > _MOST_PARTS:
        message = f"{field}: the path has {parts} slashes; at most {_MOST_PARTS} are allowed"
        raise BadRequest(message, kind, field)
    if "\0" in path:
        raise BadRequest(f"{field}: {path!r} has a NUL in it", kind, field)
    return path
