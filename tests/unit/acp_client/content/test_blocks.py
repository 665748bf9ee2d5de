"""Prompts as parts of a message, and files of a message as blocks."""

import msgspec
import pytest

from acp_client.content.blocks import BadBlock, PromptBlock, block_of_file, parts_of
from acp_client.protocol.updates import ImageBlock, LinkBlock
from acp_client.protocol.wire import Part


def blocks(*given):
    return msgspec.convert(list(given), list[PromptBlock])


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "hi"}, {"type": "text", "text": "hi"}),
        (
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            {
                "type": "file",
                "url": "data:image/png;base64,AAAA",
                "mime": "image/png",
                "filename": "image",
            },
        ),
        (
            {"type": "resource_link", "uri": "file:///srv/a%20b.md", "name": "a b.md"},
            {
                "type": "file",
                "url": "file:///srv/a%20b.md",
                "mime": "text/plain",
                "filename": "a b.md",
            },
        ),
        (
            {"type": "resource_link", "uri": "https://example.org/x", "name": "x"},
            {"type": "text", "text": "[x](https://example.org/x)"},
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "text": "unsaved"}},
            {"type": "text", "text": '<resource uri="file:///a">\nunsaved\n</resource>'},
        ),
        (
            {
                "type": "resource",
                "resource": {"uri": "file:///a.pdf", "blob": "AA", "mimeType": "application/pdf"},
            },
            {
                "type": "file",
                "url": "data:application/pdf;base64,AA",
                "mime": "application/pdf",
                "filename": "a.pdf",
            },
        ),
    ],
)
def test_a_block_is_a_part(block, part):
    assert parts_of(blocks(block)) == [part]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "audio", "data": "AA", "mimeType": "audio/wav"},
        {"type": "text"},
        {"type": "image", "mimeType": "image/png"},
        {"type": "resource_link", "name": "x"},
        {"type": "resource", "resource": {"uri": "x"}},
        {"type": "hologram"},
    ],
)
def test_a_block_that_cannot_be_used_is_named(block):
    with pytest.raises(BadBlock, match=r"prompt\[1\]"):
        parts_of(blocks({"type": "text", "text": "a"}, block))


@pytest.mark.parametrize(
    ("url", "mime", "block"),
    [
        ("data:image/png;base64,AAAA", "image/png", ImageBlock("AAAA", "image/png")),
        ("data:text/plain;base64,AA", "text/plain", LinkBlock("f", "file:///f", "text/plain")),
        ("file:///srv/x.txt", "text/plain", LinkBlock("f", "file:///srv/x.txt", "text/plain")),
    ],
)
def test_a_file_is_a_picture_or_a_link(url, mime, block):
    part = Part("prt_1", "msg_1", "file", url=url, mime=mime, filename="f")
    assert block_of_file(part) == block
