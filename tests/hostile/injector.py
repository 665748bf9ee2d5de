"""An upstream that says what an attack wants: ``python -m tests.hostile.injector``.

It is that of the soaks, and on ``POST /inject`` it sends the body to every stream, as it is;
with ``?times=`` so often. ``POST /inject/event?mb=`` sends an event of so many MB, ``POST /cut``
ends every stream.
"""

from urllib.parse import parse_qs, urlsplit

from tests.fakes.upstream import sse
from tests.faults import upstream

_DIRECTORY = "/srv/hostile"
_PIECE = 1 << 20


class Handler(upstream.Handler):
    """One connection, with what attacks ask for beside."""

    def do_POST(self) -> None:
        """Send what is asked for, or do what users ask for."""
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/inject":
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._inject(body * int(query.get("times", 1)))
            case "/inject/event":
                self._inject(sse(large(int(query["mb"]))))
            case "/cut":
                for stream in list(self.server.streams):
                    stream.reset()
            case _:
                super().do_POST()
                return
        self._send(200, b"true")

    def _inject(self, data: bytes) -> None:
        with self.server.changed:
            for start in range(0, len(data), _PIECE):
                for stream in self.server.streams:
                    stream.send(data[start : start + _PIECE])


def large(mb: int) -> bytes:
    """Return an event of so many MB."""
    text = b"x" * (mb * 1_000_000)
    return (
        b'{"directory":"%b","payload":{"type":"message.part.updated","properties":{"sessionID":'
        b'"ses_huge","part":{"id":"prt_huge","messageID":"msg_huge","sessionID":"ses_huge",'
        b'"type":"text","text":"%b","time":{"start":1,"end":2}}}}}' % (_DIRECTORY.encode(), text)
    )


if __name__ == "__main__":
    upstream.main(Handler)
