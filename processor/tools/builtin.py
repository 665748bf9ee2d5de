"""Builds the tools of weir itself, and makes every tool stop on abort and limit its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent
from msgspec.structs import replace

from processor.tools.asking import session_tools
from processor.tools.bash import Bash
from processor.tools.command import Programs
from processor.tools.edit import Editing
from processor.tools.oversize import fitting_outcome
from processor.tools.place import Places
from processor.tools.read import Read
from processor.tools.searching import Searches, SearchTools
from processor.tools.spool import Spool, cut
from processor.tools.threads import Threads
from processor.tools.tool import Call, Outcome, Run, Tool, TurnAborted
from processor.tools.webfetch import Webfetch

_OWN_BOUNDS = frozenset(["bash", "read"])
"""The tools that cut long output themselves."""


def builtin_tools(
    environment: Mapping[str, str], programs: Programs, spool: Spool, threads: Threads
) -> dict[str, Tool]:
    """Return weir's own tools by their names.

    Args:
        environment: the variables that name the proxies, such as ``HTTPS_PROXY``.
        programs: runs commands and searches.
        spool: stores output that is too long for an event.
        threads: the threads in which files are read and written.
    """
    places = Places(threads)
    tools = [
        Bash(programs, places, spool).tool(),
        Read(threads, places, spool).tool(),
        *Editing(threads, places, spool).tools(),
        *SearchTools(Searches(programs), places).tools(),
        Webfetch(programs, environment).tool(),
        *session_tools(),
    ]
    return bounded_tools({tool.name: tool for tool in tools}, spool)


def bounded_tools(tools: Mapping[str, Tool], spool: Spool) -> dict[str, Tool]:
    """Return the tools, each changed as `bounded` says."""
    return {name: bounded(tool, spool) for name, tool in tools.items()}


def bounded(tool: Tool, spool: Spool) -> Tool:
    """Return a tool that ends when its call is aborted, and that cuts long output and images.

    The whole output is stored in the spool; the model gets its beginning, its end and its path.
    """

    def run(arguments: Any, call: Call) -> Outcome:
        outcome = _until_aborted(tool.run, arguments, call)
        outcome = fitting_outcome(outcome, spool, call.session)
        if tool.name in _OWN_BOUNDS:
            return outcome
        output, said = cut(outcome.output, spool, call.session)
        said["truncated"] |= bool(outcome.metadata.get("truncated"))
        return replace(outcome, output=output, metadata={**outcome.metadata, **said})

    return replace(tool, run=run)


def _until_aborted(run: Run, arguments: Any, call: Call) -> Outcome:
    """Run a tool in a greenlet of its own, and kill the greenlet when the call is aborted."""
    worker = gevent.spawn(_caught, run, arguments, call)
    try:
        gevent.wait((worker, call.aborted), count=1)
    finally:
        worker.kill()
    found = worker.value
    if isinstance(found, Outcome):
        return found
    raise found if isinstance(found, Exception | gevent.Timeout) else TurnAborted()


def _caught(
    run: Callable[[Any, Call], Outcome], arguments: Any, call: Call
) -> Outcome | Exception | gevent.Timeout:
    # gevent prints the exception that ends a greenlet, so return the exception as a value. That
    # includes gevent.Timeout: the call's time limit is raised in this greenlet, if `Call.need` has
    # restarted the limit here.
    try:
        return run(arguments, call)
    except (Exception, gevent.Timeout) as error:
        return error
