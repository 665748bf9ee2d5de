"""One connection to `/global/event`: the bytes of its body, as they arrive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from processor.upstream.deadline import SilenceDeadline
from processor.upstream.failures import in_words, refusal
from processor.upstream.settings import UpstreamSettings

_CONNECT_S = 10.0
# How long the server may take to answer. An opencode that is starting accepts connections, but
# never answers some of their requests, so the request has to be sent again.
_ANSWER_S = 10.0
_READ_BYTES = 64 * 1024
_PATH = "/global/event"


class UpstreamLost(Exception):
    """The stream cannot be opened, or has ended; the message continues "upstream URL …"."""


class UpstreamStream:
    """An open connection.

    Attributes:
        date_ms: when the server began to answer, by its own clock, in whole seconds; None if the
            answer does not say.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        self.date_ms = _date_ms(response.headers.get("Date", ""))

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive.

        Raises:
            UpstreamLost: the stream has ended.
        """
        response = self._response
        is_encoded = "content-encoding" in response.headers
        with _lost():
            while data := response.read1(_READ_BYTES, decode_content=is_encoded):
                yield data
        raise UpstreamLost("ended the stream")


@contextlib.contextmanager
def opened(settings: UpstreamSettings, pool: urllib3.PoolManager) -> Iterator[UpstreamStream]:
    """Open the stream for a ``with`` block.

    Raises:
        UpstreamLost: the connection or the request failed, or the answer is not an event stream.
    """
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    if settings.authorization is not None:
        headers["Authorization"] = settings.authorization
    answer_s = min(_ANSWER_S, settings.silence_s)
    slow = UpstreamLost(f"does not answer within {answer_s:g} s")
    with _lost(), SilenceDeadline(answer_s, slow):
        response = pool.request(
            "GET",
            settings.url + _PATH,
            headers=headers,
            # The caller has a deadline for reads: a timer for each read would be too expensive.
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=None),
            retries=False,
            redirect=False,
            preload_content=False,
        )
    try:
        kind = response.headers.get("Content-Type", "")
        if response.status != 200 or not kind.startswith("text/event-stream"):
            raise UpstreamLost(refusal(response))
        yield UpstreamStream(response)
    finally:
        response.close()


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except (HTTPError, OSError) as error:
        raise UpstreamLost(in_words(error)) from error


def _date_ms(header: str) -> int | None:
    try:
        return int(parsedate_to_datetime(header).timestamp()) * 1000
    except (ValueError, OverflowError):
        return None
