"""A processor in front of an opencode, put together."""

from __future__ import annotations

import hashlib
import ssl
from contextlib import ExitStack

import urllib3

from bus.ids import Ids
from bus.publisher import Publisher
from processor.origin import Work
from processor.upstream.commands import RelayDispatch
from processor.upstream.condition import Condition
from processor.upstream.frames import Frame
from processor.upstream.healing import Healing
from processor.upstream.intake import Intake
from processor.upstream.reader import Reader
from processor.upstream.rest import Rest
from processor.upstream.settings import UpstreamSettings

# The stream, and the questions of healing, one after the other.
_CONNECTIONS = 2


class Upstream:
    """Events of an opencode, which keeps the sessions and runs the turns."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        # Named after what it reads: with another epoch, it is the same source after a restart.
        self.source = f"up-{hashlib.sha256(settings.url.encode()).hexdigest()[:16]}"

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Be ready to read."""

        def publish(frame: Frame) -> None:
            place = frame.place
            publisher.publish(frame.event, place.directory, place.project, place.workspace)

        settings = self._settings
        context = ssl.create_default_context()
        pool = urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context)
        stack.callback(pool.clear)
        condition = Condition(settings.url, silence_s=settings.silence_s)
        intake = Intake(publish)
        rest = Rest(settings, pool)
        reader = Reader(settings, pool, intake, Healing(rest, intake, Ids()), rest, condition)
        dispatch = RelayDispatch(publisher, condition, settings.url)
        return Work(dispatch, lambda: None, [reader.run])
