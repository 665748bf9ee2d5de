"""The tools `edit` and `write`: ask for permission with a diff, and change a text file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from processor.tools.arguments import decoded, schema
from processor.tools.content import FileLocks, as_bytes, as_text, content, printable, write
from processor.tools.patch import Patch, patch
from processor.tools.place import Places, ToolPath
from processor.tools.read import reason
from processor.tools.replacement import replaced
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import Call, Need, Outcome, Tool, ToolFailed

_EDIT = """Replaces text in a file.

- `oldString` must be in the file exactly once, with its indentation and without the line numbers
  that read puts in front. Give more lines around it if it is there several times, or set
  `replaceAll`.
- An empty `oldString` makes a new file of `newString`.
- The line ends and the byte order mark of the file are kept."""
_WRITE = """Writes a file, and makes the folders that are missing.

- A file that exists is replaced as a whole. To change a part of it use edit."""
_PATH = Meta(description="The absolute path of the file")


class EditArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `edit`."""

    filePath: Annotated[str, _PATH]
    oldString: Annotated[str, Meta(description="The text to replace")]
    newString: Annotated[str, Meta(description="The text to put in its place")]
    replaceAll: Annotated[
        bool | None, Meta(description="Whether to replace the text wherever it is")
    ] = None


class WriteArguments(Struct, forbid_unknown_fields=True):
    """The arguments that a model gives to the tool `write`."""

    filePath: Annotated[str, _PATH]
    content: Annotated[str, Meta(description="The whole content of the file")]


_After = Callable[[bytes | None], bytes]


class _Change(Struct):
    """A planned change of a file: its old content (None: no file), its new content, the diff."""

    before: bytes | None
    after: bytes
    patch: Patch


class Editing:
    """The tools `edit` and `write`.

    Args:
        threads: the threads in which files are read and written.
        places: resolves paths, and asks for permission to leave the session's directory.
        spool: stores diffs that are too long for an event.
    """

    def __init__(self, threads: Threads, places: Places, spool: Spool) -> None:
        self._spool = spool
        self._threads = threads
        self._places = places
        self._locks = FileLocks()

    def tools(self) -> list[Tool]:
        """Return the tools `edit` and `write`."""
        return [
            Tool("edit", _EDIT, schema(EditArguments), self.edit),
            Tool("write", _WRITE, schema(WriteArguments), self.write),
        ]

    def edit(self, arguments: object, call: Call) -> Outcome:
        """Replace text in a file, or make a new file (the tool `edit`)."""
        wanted = decoded(arguments, EditArguments, "edit")
        if wanted.oldString == wanted.newString:
            raise ToolFailed("newString: is the same as oldString, so nothing would change")
        place = self._places.find(call, wanted.filePath, "filePath")

        def after(before: bytes | None) -> bytes:
            return _edited(place, before, wanted)

        change = self._changed(place, call, after)
        metadata = {
            "diagnostics": {},
            "diff": change.patch.text,
            "filediff": _filediff(place, change.patch),
            **self._whole(change.patch, call),
        }
        return Outcome("Edit applied successfully.", place.name, metadata)

    def write(self, arguments: object, call: Call) -> Outcome:
        """Replace a whole file, or make a new file (the tool `write`)."""
        wanted = decoded(arguments, WriteArguments, "write")
        place = self._places.find(call, wanted.filePath, "filePath")

        def after(before: bytes | None) -> bytes:
            mark = "" if before is None else as_text(before)[0]
            return as_bytes(mark + wanted.content.removeprefix("\ufeff"))

        change = self._changed(place, call, after)
        metadata = {
            "diagnostics": {},
            "filepath": place.real,
            "exists": change.before is not None,
            "filediff": _filediff(place, change.patch),
            **self._whole(change.patch, call),
        }
        return Outcome("Wrote file successfully.", place.name, metadata)

    def _changed(self, place: ToolPath, call: Call, after: _After) -> _Change:
        """Plan a change, wait until it is allowed, and write the file.

        A lock ensures that only one call at a time plans and writes a change of this file.
        """
        with self._locks.held(place.real, call):
            try:
                change = self._threads.run(_planned, place, after)
                metadata = {"filepath": place.real, "diff": change.patch.text}
                call.need(Need("edit", [place.name], ["*"], metadata))
                self._threads.run(write, place.real, change.before, change.after)
            except OSError as error:
                raise ToolFailed(f"filePath: {reason(error, place.real)}") from None
        return change

    def _whole(self, patch: Patch, call: Call) -> dict[str, object]:
        """Save a diff that was cut; return the metadata with which clients find the diff."""
        with contextlib.suppress(OSError):
            if patch.whole:
                data = patch.whole.encode(errors="replace")
                return self._spool.keep(call.session, data).pointer("diff")
        return {}


def _filediff(place: ToolPath, patch: Patch) -> dict[str, object]:
    return {
        "file": place.real,
        "patch": patch.text,
        "additions": patch.additions,
        "deletions": patch.deletions,
    }


def _planned(place: ToolPath, after: _After) -> _Change:
    # Look again whether the file exists: another call may have created it while this call waited
    # for the lock.
    before = content(replace(place, exists=os.path.lexists(place.real)))
    new = after(before)
    old_text, new_text = (
        printable(as_text(data)[1]).replace("\r\n", "\n") for data in (before or b"", new)
    )
    return _Change(before, new, patch(place.real, old_text, new_text))


def _edited(place: ToolPath, before: bytes | None, wanted: EditArguments) -> bytes:
    if wanted.oldString == "":
        if before is not None:
            raise ToolFailed(
                f"oldString: is empty, but {place.real} exists; give the text to replace, or use "
                "write to replace the whole file"
            )
        return as_bytes(wanted.newString)
    if before is None:
        raise ToolFailed(f"filePath: {place.real} does not exist")
    mark, text = as_text(before)
    ends = "\r\n" if "\r\n" in text else "\n"
    old, new = (
        one.replace("\r\n", "\n").replace("\n", ends)
        for one in (wanted.oldString, wanted.newString)
    )
    return as_bytes(mark + replaced(text, old, new, bool(wanted.replaceAll)))
