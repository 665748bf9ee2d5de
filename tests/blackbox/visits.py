"""A reader that is cut again and again, and names its last id each time."""

import json
from urllib.parse import urlencode

from tests.sse_client import SseClient


class Visits:
    """Reads `/global/event`, a few events a visit.

    Args:
        url: of the gateway.
        turns: whose ends are waited for.
        filters: of the stream, such as ``session``.

    Attributes:
        payloads: all events but the server's own.
        resumed: what the server said to each visit.
        last_id: what the next visit names.
    """

    def __init__(self, url, turns=1, **filters):
        self.payloads = []
        self.resumed = []
        self.last_id = ""
        self._stream = f"{url}/global/event"
        self._unfinished = turns
        # Many events, since the connection is to be cut after any of them.
        self._filters = {"frame_hz": 0, **filters}

    def visit(self, events, **query):
        """Read so many events, or to the end of all turns; tell whether that was it.

        A ``query`` stands in place of the header that names the last id.
        """
        with self._open(**query) as stream:
            for _ in range(events):
                self._take(stream.next())
                if not self._unfinished:
                    return True
        return False

    def begin(self):
        """Be told where the stream stands: what happens from now on will come, however late."""
        with self._open() as stream:
            while not self.last_id or "~" in self.last_id:
                self._take(stream.next())

    def _open(self, **query):
        headers = {"Last-Event-ID": self.last_id} if self.last_id and not query else {}
        asked = urlencode({**self._filters, **query})
        return SseClient(f"{self._stream}?{asked}", headers)

    def _take(self, event):
        self.last_id = event.id or self.last_id
        payload = json.loads(event.data)["payload"]
        if payload["type"] == "server.connected":
            self.resumed.append(payload["properties"]["resumed"])
        elif payload["type"] != "server.heartbeat":
            self.payloads.append(payload)
            self._unfinished -= payload["type"] == "session.idle"
