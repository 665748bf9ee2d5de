"""Converts a web page to text or Markdown, in the program `processor.tools.worker`.

This module only imports the standard library, so that the program starts quickly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

_HIDDEN = frozenset(["script", "style", "noscript", "iframe", "object", "template", "svg", "head"])
_BLOCKS = re.compile(
    "address|article|aside|blockquote|div|dl|dd|dt|fieldset|figure|footer|form|header|hr|main|nav|"
    "ol|p|pre|section|table|tr|ul|h[1-6]|li|br"
).fullmatch
_HEADING = re.compile("h([1-6])").fullmatch
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}
# HTML elements without an end tag; a parser must not wait for one, even after `<br>` without `/`.
_EMPTY = frozenset(["br", "hr", "img", "meta", "link", "input", "embed"])


class _Converter(HTMLParser):
    def __init__(self, is_markdown: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._is_markdown = is_markdown
        self._hidden = 0
        self._pre = 0
        self._links: list[str] = []
        self._lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        if self._hidden or tag in ("html", "body"):
            return
        if _BLOCKS(tag):
            self.pieces.append("\n" if tag in ("br", "li", "tr", "dt", "dd") else "\n\n")
        if tag == "pre":
            self._pre += 1
        if self._is_markdown:
            self._begin(tag, dict(attrs))
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
            return
        if self._hidden or tag in _EMPTY:
            return
        if self._is_markdown:
            self._end(tag)
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        if _BLOCKS(tag) and tag not in ("li", "tr", "dt", "dd"):
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data if self._pre else re.sub(r"\s+", " ", data))

    def _begin(self, tag: str, attributes: dict[str, str | None]) -> None:
        if heading := _HEADING(tag):
            self.pieces.append("#" * int(heading[1]) + " ")
        elif tag == "pre":
            self.pieces.append("```\n")
        elif tag == "hr":
            self.pieces.append("---\n\n")
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.pieces.append(self._bullet())
        elif tag in ("td", "th"):
            self.pieces.append("| ")
        elif tag in _MARKS and not self._pre:
            self.pieces.append(_MARKS[tag])
        elif tag == "a":
            self._links.append(attributes.get("href") or "")
            self.pieces.append("[")
        elif tag == "img" and attributes.get("alt"):
            self.pieces.append(f"![{attributes['alt']}]({attributes.get('src') or ''})")

    def _end(self, tag: str) -> None:
        if tag == "pre" and self._pre:
            self.pieces.append("\n```")
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        elif tag in _MARKS and not self._pre:
            self.pieces.append(_MARKS[tag])
        elif tag == "a" and self._links:
            self.pieces.append(f"]({self._links.pop()})")

    def _bullet(self) -> str:
        indent = "  " * max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number + 1}. "


def page(request: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield ``{"text": …}`` for the request ``{"html": …, "format": "text" or "markdown"}``."""
    converter = _Converter(request["format"] == "markdown")
    converter.feed(request["html"])
    converter.close()
    text = "".join(converter.pieces)
    yield {"text": re.sub(r"[ \t]*\n(?:[ \t]*\n)+", "\n\n", text).strip()}
