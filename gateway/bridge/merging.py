"""Merges what several processors answer to one command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent.pool
import msgspec
from msgspec import Struct

from bus import json
from bus.agent_commands import AgentList
from bus.answers import CommandFailed
from bus.commands import Asks, Directories, Dispose, Readiness, SessionList, Statuses
from gateway.bridge.processors import Processors

_READINESS_S = 1.5


class Reported(Struct):
    """The fields of a processor's readiness report."""

    ready: bool
    reasons: list[str] = []


def readiness(processors: Processors) -> bytes:
    """Return one readiness report for all processors: ready if one of them is."""
    try:
        alive = processors.alive()
    except CommandFailed as absence:
        return msgspec.json.encode({"ready": False, "reasons": [absence.message]})

    def report(source: str) -> Reported:
        try:
            answer = processors.ask(source, Readiness(), _READINESS_S)
            return msgspec.json.decode(answer.json, type=Reported)
        except (CommandFailed, msgspec.MsgspecError) as error:
            return Reported(False, [str(error)])

    reports = gevent.pool.Pool(len(alive)).map(report, alive)
    reasons = [
        f"{source}: {reason}"
        for source, one in zip(alive, reports, strict=True)
        for reason in one.reasons
    ]
    away = sorted(set(processors.mirrors) - set(alive))
    reasons += [f"{source}: shows no sign of life" for source in away]
    return msgspec.json.encode({"ready": any(one.ready for one in reports), "reasons": reasons})


def _sessions(command: SessionList, answers: list[bytes]) -> bytes:
    found = [session for answer in answers for session in json.decode(answer)]
    found.sort(key=lambda session: (-session["time"]["updated"], session["id"]))
    return json.encode(found[: command.limit])


def _objects(_command: Any, answers: list[bytes]) -> bytes:
    return json.encode(
        {key: one for answer in answers for key, one in json.decode(answer).items()}
    )


def _arrays(_command: Any, answers: list[bytes]) -> bytes:
    found = list[Any]()
    for answer in answers:
        found += (one for one in json.decode(answer) if one not in found)
    return json.encode(found)


def _last(_command: Any, answers: list[bytes]) -> bytes:
    return answers[-1]


MERGED: Mapping[type, Callable[[Any, list[bytes]], bytes]] = {
    SessionList: _sessions,
    Statuses: _objects,
    Asks: _arrays,
    AgentList: _arrays,
    Directories: _arrays,
    Dispose: _last,
}
"""By command: how the answers of all processors become one."""
