"""The tool `read`: returns lines of a text file, the entries of a folder, or an image."""

from __future__ import annotations

import base64
import os
from difflib import get_close_matches
from typing import Annotated, Any

from msgspec import Meta, Struct

from processor.tools import clip
from processor.tools.arguments import decoded, schema
from processor.tools.nofollow import open_file, open_folder
from processor.tools.place import Places, ToolPath
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

LINES = 2000
LINE_CHARACTERS = 2000
PREVIEW_LINES = 20
MOST_FILE_BYTES = 256 * 1024 * 1024
MOST_IMAGE_BYTES = 5 * 1024 * 1024
MOST_ENTRIES = 100_000
SAMPLE_BYTES = 4096
_PIECE = 1024 * 1024
_CUT = f"... (line truncated to {LINE_CHARACTERS} chars)"
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_DESCRIPTION = f"""Reads a file or a folder.

- Lines are returned as `NUMBER: LINE`, {LINES} at most, from `offset` (the first line is 1). A
  line of more than {LINE_CHARACTERS} characters is cut.
- Of a folder the entries are returned, with a slash after the name of each folder.
- Images (PNG, JPEG, GIF, WebP) are returned as attachments. Other binary files are refused."""


class ReadArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `read`."""

    filePath: Annotated[str, Meta(description="The absolute path of the file or folder")]
    offset: (
        Annotated[int, Meta(ge=0, description="The first line to return; 1 if absent")] | None
    ) = None
    limit: (
        Annotated[int, Meta(ge=1, description=f"How many lines to return; {LINES} if absent")]
        | None
    ) = None


class Read:
    """The tool `read`.

    Args:
        threads: the threads in which files are read.
        places: resolves paths, and asks for permission to leave the session's directory.
        spool: contains the long outputs of the session, which may be read without permission.
    """

    def __init__(self, threads: Threads, places: Places, spool: Spool) -> None:
        self._threads = threads
        self._places = places
        self._spool = spool

    def tool(self) -> Tool:
        return Tool("read", _DESCRIPTION, schema(ReadArguments), self.run)

    def run(self, arguments: object, call: Call) -> Outcome:
        """Wait until reading is allowed; then return the content of the file or folder."""
        wanted = decoded(arguments, ReadArguments, "read")
        free = [self._spool.folder(call.session)]
        place = self._places.find(call, wanted.filePath, "filePath", free)
        call.need(Need("read", [place.name], ["*"]))
        if not place.exists:
            raise ToolFailed(self._threads.run(_missing, place))
        read = _read_folder if place.is_folder else _read_file
        try:
            return self._threads.run(read, place, wanted.offset or 1, wanted.limit or LINES)
        except OSError as error:
            raise ToolFailed(f"filePath: {reason(error, place.real)}") from None


def reason(error: OSError, real: str) -> str:
    """Return the text of a file error for the model: the path `real`, and what is wrong."""
    return f"{real}: {error.strerror}" if error.strerror else str(error)


def is_binary(sample: bytes) -> bool:
    """Return whether a file is binary, judging by its first bytes.

    A binary file has a null byte, or more than 30% control characters.
    """
    odd = sum(byte < 9 or 13 < byte < 32 for byte in sample)
    return b"\0" in sample or odd > 0.3 * len(sample)


def _missing(place: ToolPath) -> str:
    try:
        beside = os.listdir(os.path.dirname(place.real))
    except OSError:
        beside = []
    near = get_close_matches(os.path.basename(place.real), beside[:10_000], 3)
    folder = os.path.dirname(place.real)
    hint = "\n".join(["", "", "Did you mean one of these?", *(f"{folder}/{one}" for one in near)])
    return f"filePath: {place.real} does not exist{hint if near else ''}"


def _read_folder(place: ToolPath, offset: int, limit: int) -> Outcome:
    entries = _entries(place.real)
    page = entries[offset - 1 : offset - 1 + limit]
    is_cut = offset - 1 + len(page) < len(entries)
    count = f"({len(entries)} entries)"
    if is_cut:
        count = (
            f"(Showing {len(page)} of {len(entries)} entries. "
            f"Use offset={offset + len(page)} to continue.)"
        )
    lines = [f"<path>{place.real}</path>", "<type>directory</type>", "<entries>", *page, count]
    display = {
        "type": "directory",
        "path": place.real,
        "entries": page,
        "offset": offset,
        "totalEntries": len(entries),
        "truncated": is_cut,
    }
    return _outcome(place, "\n".join([*lines, "</entries>"]), page, is_cut, display)


def _entries(real: str) -> list[str]:
    folder = open_folder(real)
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        found = []
        with os.scandir(readable) as entries:
            for entry in entries:
                name = os.fsencode(entry.name).decode(errors="replace")
                found.append(name + "/" * entry.is_dir(follow_symlinks=False))
                if len(found) > MOST_ENTRIES:
                    raise ToolFailed(
                        f"filePath: {real} has more than {MOST_ENTRIES} entries; use glob"
                    )
    finally:
        os.close(readable)
    return sorted(found)


def _read_file(place: ToolPath, offset: int, limit: int) -> Outcome:
    number = open_file(place.real)
    with open(number, "rb") as file:
        size = os.fstat(number).st_size
        sample = file.read(SAMPLE_BYTES)
        if (mime := _image(sample)) is not None:
            return _read_image(place, mime, sample + file.read(MOST_IMAGE_BYTES))
        if is_binary(sample):
            raise ToolFailed(f"filePath: {place.real} is a binary file, which read cannot show")
        if size > MOST_FILE_BYTES:
            raise ToolFailed(
                f"filePath: {place.real} has {size} bytes, and read takes at most "
                f"{MOST_FILE_BYTES}; use bash with sed, head or tail"
            )
        file.seek(0)
        return _window(place, LineWindow(file, offset, limit))


class LineWindow:
    """Reads some lines of a file, and counts all its lines.

    A line may be as long as the file; of such a line, only the part to show is kept in memory. At
    most `MOST_FILE_BYTES` are read, since the file may grow meanwhile.

    Args:
        file: the open file, in binary mode.
        offset: the number of the first line to return, from 1.
        limit: how many lines to return.

    Attributes:
        offset: the number of the first returned line.
        lines: the lines, long ones cut.
        total: how many lines the file has.
        is_cut: whether lines were left out because the output would be too long.
    """

    def __init__(self, file: Any, offset: int, limit: int) -> None:
        self.offset = offset
        self.lines: list[str] = []
        self.total = 0
        self.is_cut = False
        self._limit = limit
        self._bytes = 0
        rest, read = b"", 0
        while read < MOST_FILE_BYTES and (piece := file.read(_PIECE)):
            read += len(piece)
            if self.total + 1 < offset or self.is_full:
                rest = self._count(rest, piece)
            else:
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    self._add(line)
                rest = rest[: 8 * LINE_CHARACTERS]
        if rest:
            self._add(rest)

    @property
    def is_full(self) -> bool:
        """Whether `lines` is complete: further lines are only counted."""
        return self.is_cut or len(self.lines) >= self._limit

    def _count(self, rest: bytes, piece: bytes) -> bytes:
        """Count the lines of a piece that are not returned; return the incomplete last line.

        Of a line that is only counted, one byte is enough.
        """
        ends = piece.count(b"\n")
        if self.total + ends + 1 < self.offset or self.is_full:
            self.total += ends
            return piece[piece.rfind(b"\n") + 1 :][:1] if ends else (rest or piece[:1])
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            self._add(line)
        return rest[: 8 * LINE_CHARACTERS]

    def _add(self, line: bytes) -> None:
        self.total += 1
        if self.total < self.offset or self.is_full:
            return
        text = line[: 8 * LINE_CHARACTERS].decode(errors="replace").removesuffix("\r")
        if len(text) > LINE_CHARACTERS:
            text = text[:LINE_CHARACTERS] + _CUT
        size = len(text.encode()) + 1
        if self._bytes + size > clip.MOST_BYTES:
            self.is_cut = True
            return
        self._bytes += size
        self.lines.append(text)


def _window(place: ToolPath, window: LineWindow) -> Outcome:
    offset, total = window.offset, window.total
    if offset > max(total, 1):
        raise ToolFailed(f"offset: {offset} is past the end of {place.real} ({total} lines)")
    last = offset + len(window.lines) - 1
    is_cut = last < total
    if window.is_cut:
        size = clip.MOST_BYTES // 1024
        note = f"Output capped at {size} KB. Showing lines {offset}-{last}. "
    else:
        note = f"Showing lines {offset}-{last} of {total}. "
    note = (
        f"({note}Use offset={last + 1} to continue.)"
        if is_cut
        else f"(End of file - total {total} lines)"
    )
    body = "\n".join(f"{offset + n}: {line}" for n, line in enumerate(window.lines))
    output = (
        f"<path>{place.real}</path>\n<type>file</type>\n<content>\n{body}\n\n{note}\n</content>"
    )
    display = {
        "type": "file",
        "path": place.real,
        "text": "\n".join(window.lines),
        "lineStart": offset,
        "lineEnd": last,
        "totalLines": total,
        "truncated": is_cut,
    }
    return _outcome(place, output, window.lines, is_cut, display)


def _image(sample: bytes) -> str | None:
    if sample[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if sample[:4] == b"RIFF" and sample[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _IMAGES.items() if sample.startswith(magic)), None)


def _read_image(place: ToolPath, mime: str, data: bytes) -> Outcome:
    if len(data) > MOST_IMAGE_BYTES:
        raise ToolFailed(
            f"filePath: {place.real} is an image of more than {MOST_IMAGE_BYTES} bytes; make it "
            "smaller first"
        )
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    words = "Image read successfully"
    metadata = {"preview": words, "truncated": False, "loaded": []}
    return Outcome(words, place.name, metadata, [{"type": "file", "mime": mime, "url": url}])


def _outcome(
    place: ToolPath, output: str, lines: list[str], is_cut: bool, display: dict[str, Any]
) -> Outcome:
    preview = "\n".join(lines[:PREVIEW_LINES])
    metadata = {"preview": preview, "truncated": is_cut, "loaded": [], "display": display}
    return Outcome(output, place.name, metadata)
