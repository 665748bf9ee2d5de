"""Which directory a request is about."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from falcon import Request

from gateway.errors import BadRequest, RequestPart

_HEADER = "x-opencode-directory"


def directory_of(req: Request, default: str) -> str:
    """The directory of a request: ``?directory``, or its header, or the default.

    Newer SDKs send the query parameter (form-encoded), older ones the header (URI-encoded).

    Raises:
        BadRequest: it is not an absolute path.
    """
    asked = req.get_param("directory")
    if asked:
        return _absolute(asked, "Query", "directory")
    header = req.get_header(_HEADER)
    if header:
        return _absolute(_decoded(header), "Headers", _HEADER)
    return default


def _decoded(header: str) -> str:
    # WSGI hands over a header's bytes as Latin-1; a client may have sent them raw, in UTF-8.
    return unquote_to_bytes(header.encode("latin-1")).decode("utf-8", "replace")


def _absolute(path: str, kind: RequestPart, field: str) -> str:
    if "\ufffd" in path:
        # Falcon and `_decoded` put this where bytes are not UTF-8: another directory altogether.
        raise BadRequest(f"{field}: {path!r} is not UTF-8", kind, field)
    if "\0" in path:
        raise BadRequest(f"{field}: {path!r} has a NUL in it", kind, field)
    if not path.startswith("/"):
        raise BadRequest(f"{field}: {path!r} is not an absolute path", kind, field)
    return path.rstrip("/") or "/"
