"""The arguments of a tool: a msgspec struct, its JSON schema, and errors that help a model."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from processor.tools.tool import ToolFailed

T = TypeVar("T")


def decoded(arguments: Any, kind: type[T], tool: str) -> T:
    """Decode the arguments of a call as a struct.

    Models write numbers as text and leave out empty objects, so both are accepted.

    Raises:
        ToolFailed: the JSON is broken, or a field is missing, unknown or of a wrong type.
    """
    try:
        if isinstance(arguments, str | bytes | bytearray):
            return msgspec.json.decode(arguments or b"{}", type=kind, strict=False)
        return msgspec.convert(arguments, kind, strict=False)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ToolFailed(
            f"The arguments of {tool} are invalid: {error}. "
            "Call the tool again with arguments that fit its schema."
        ) from None


def schema(kind: type) -> dict[str, Any]:
    """Return the JSON schema of a struct; providers require the struct itself at the top."""
    (top,), shared = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = top["$ref"].rpartition("/")[2]
    own = dict(shared.pop(name))
    own.pop("title", None)
    own.pop("description", None)
    return {**own, "$defs": shared} if shared else own
