"""The changes that an editing tool has made or wants to make, as ACP's diffs.

opencode reports changes in several ways, which are tried in this order: the whole old and new text
in the tool's metadata, a unified diff in the metadata, and the arguments of the tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from acp_client.content import patches
from acp_client.content.locations import absolute
from acp_client.protocol.updates import Diff
from acp_client.protocol.wire import ToolState

EDITING = frozenset({"edit", "multiedit", "write", "patch", "apply_patch"})


def diffs_of(tool: str, state: ToolState, directory: str) -> list[Diff]:
    """Return the diffs of a tool call; empty if the call does not show which files it changes."""
    if tool not in EDITING:
        return []
    found = list(_of_files(state)) or list(_of_one_file(state)) or list(_asked_for(state))
    return [Diff(absolute(one.path, directory), one.oldText, one.newText) for one in found]


def diff_of_permission(metadata: dict[str, Any], directory: str) -> list[Diff]:
    """Return the changes for which a tool asks permission."""
    files = metadata.get("files")
    if isinstance(files, list):
        found = list(_files(files))
    else:
        found = list(_unified(metadata.get("filepath"), metadata.get("diff")))
    return [Diff(absolute(one.path, directory), one.oldText, one.newText) for one in found]


def _of_files(state: ToolState) -> Iterator[Diff]:
    files = state.noted("files")
    if isinstance(files, list):
        yield from _files(files)


def _files(files: list[Any]) -> Iterator[Diff]:
    for file in files:
        if not isinstance(file, dict):
            continue
        path = file.get("movePath") or file.get("filePath") or file.get("relativePath")
        before, after = file.get("before"), file.get("after")
        if isinstance(path, str) and isinstance(before, str) and isinstance(after, str):
            yield Diff(path, None if file.get("type") == "add" else before, after)
        else:
            yield from _unified(path, file.get("patch") or file.get("diff"), file.get("type"))


def _of_one_file(state: ToolState) -> Iterator[Diff]:
    whole = state.noted("filediff")
    path = state.given("filePath")
    if isinstance(whole, dict):
        path = path or whole.get("file")
        before, after = whole.get("before"), whole.get("after")
        if isinstance(path, str) and isinstance(before, str) and isinstance(after, str):
            yield Diff(path, before, after)
            return
    yield from _unified(path, state.noted("diff"))


def _unified(path: Any, diff: Any, kind: Any = None) -> Iterator[Diff]:
    if not isinstance(path, str) or not isinstance(diff, str) or "@@" not in diff:
        return
    before, after = patches.unified(diff)
    is_new = kind == "add" or (not before and "@@ -0,0 " in diff)
    yield Diff(path, None if is_new else before, after)


def _asked_for(state: ToolState) -> Iterator[Diff]:
    path, content = state.given("filePath"), state.given("content")
    if isinstance(path, str) and isinstance(content, str):
        # The server does not report the old content, only whether the file existed. An empty old
        # text shows that it existed, None that the file is new.
        yield Diff(path, "" if state.noted("exists") else None, content)
    edits = state.given("edits")
    for edit in edits if isinstance(edits, list) else [state.input]:
        if isinstance(path, str) and isinstance(edit, dict):
            yield from _replaced(path, edit.get("oldString"), edit.get("newString"))
    patch = state.given("patchText")
    if isinstance(patch, str):
        for change in patches.envelope(patch):
            yield Diff(change.path, change.before, change.after)


def _replaced(path: str, old: Any, new: Any) -> Iterator[Diff]:
    if isinstance(old, str) and isinstance(new, str):
        yield Diff(path, old or None, new)
