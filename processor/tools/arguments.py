"""Decodes a tool's arguments into a msgspec struct, and makes the JSON schema of the struct."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from processor.tools.tool import ToolFailed

T = TypeVar("T")


def decoded(arguments: Any, kind: type[T], tool: str) -> T:
    """Decode the arguments of a call as a struct of type `kind`.

    Some models write numbers as text, or send nothing in place of an empty object. Both are
    accepted.

    Raises:
        ToolFailed: the JSON is broken, or a field is missing, unknown or of a wrong type. The
            message names `tool`, so that the model can correct its call.
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
    """Return the JSON schema of a struct, with the struct's own schema at the top.

    Providers do not accept a schema that is only a reference to a definition.
    """
    (top,), shared = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = top["$ref"].rpartition("/")[2]
    own = dict(shared.pop(name))
    own.pop("title", None)
    own.pop("description", None)
    return {**own, "$defs": shared} if shared else own
