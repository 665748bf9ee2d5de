"""Converts ACP's content blocks of a prompt to opencode's message parts, and files back."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import UNSET, Struct, UnsetType

from acp_client.protocol.updates import Block, ImageBlock, LinkBlock
from acp_client.protocol.wire import Part


class EmbeddedResource(Struct):
    """The content of a block of type `resource`: `text`, or `blob` in base64."""

    uri: str
    text: str | None = None
    blob: str | None = None
    mimeType: str | None = None


class PromptBlock(Struct):
    """A content block of a prompt, with the fields of all of ACP's block types."""

    type: str
    text: str | None = None
    data: str | None = None
    mimeType: str | None = None
    uri: str | None = None
    name: str | None = None
    resource: EmbeddedResource | None = None


class BadBlock(ValueError):
    """A block of a prompt cannot be used; the message says which block, and why."""


Json = dict[str, Any]


def parts_of(prompt: list[PromptBlock]) -> list[Json]:
    """Return the parts of an opencode message for the blocks of a prompt.

    Raises:
        BadBlock: a block has an unknown type, or lacks a field that its type needs.
    """
    return [_part(number, block) for number, block in enumerate(prompt)]


def block_of_file(part: Part) -> Block:
    """Return the block for a message's file: an image block for an image, otherwise a link."""
    head, comma, data = part.url.partition(",")
    name = part.filename or posixpath.basename(urlsplit(part.url).path) or "file"
    if head.startswith("data:"):
        if part.mime.startswith("image/") and head.endswith(";base64") and comma:
            return ImageBlock(data, part.mime)
        return LinkBlock(name, f"file:///{quote(name.lstrip('/'))}", part.mime or UNSET)
    mime: str | UnsetType = part.mime or UNSET
    return LinkBlock(name, part.url or f"file:///{quote(name.lstrip('/'))}", mime)


def _part(number: int, block: PromptBlock) -> Json:
    if block.type == "text" and block.text is not None:
        return {"type": "text", "text": block.text}
    if block.type == "image":
        return _image(number, block)
    if block.type == "resource_link" and block.uri:
        return _file(block.uri, block.mimeType or "text/plain", block.name)
    if block.type == "resource" and block.resource is not None:
        return _embedded(number, block.resource)
    raise BadBlock(
        f"prompt[{number}]: a block of type {block.type!r} cannot be used; "
        "allowed are text, image, resource_link, resource"
    )


def _image(number: int, block: PromptBlock) -> Json:
    mime = block.mimeType or "image/png"
    if block.data:
        return _file(f"data:{mime};base64,{block.data}", mime, block.name or "image")
    if block.uri:
        return _file(block.uri, mime, block.name)
    raise BadBlock(f"prompt[{number}]: the image has neither data nor uri; give one of them")


def _embedded(number: int, resource: EmbeddedResource) -> Json:
    if resource.text is not None:
        return {"type": "text", "text": _quoted(resource.uri, resource.text)}
    if resource.blob is not None:
        mime = resource.mimeType or "application/octet-stream"
        return _file(f"data:{mime};base64,{resource.blob}", mime, _name(resource.uri))
    raise BadBlock(f"prompt[{number}]: the resource has neither text nor blob; give one of them")


def _quoted(uri: str, text: str) -> str:
    """Return the text of a file, with its URI, as the model gets it.

    The editor sends the text because the file may have changes that are not saved yet.
    """
    return f'<resource uri="{uri}">\n{text}\n</resource>'


def _file(url: str, mime: str, name: str | None) -> Json:
    scheme = urlsplit(url).scheme
    if scheme not in ("file", "data"):
        # opencode reads only files and data URLs. The model gets any other URL as text.
        return {"type": "text", "text": url if name in (None, url) else f"[{name}]({url})"}
    return {"type": "file", "url": url, "mime": mime, "filename": name or _name(url)}


def _name(uri: str) -> str:
    return posixpath.basename(unquote(urlsplit(uri).path)) or "file"
