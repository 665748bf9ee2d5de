"""Requests that no client would send: made from good ones, by chance."""

from random import Random

_METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"CONNECT",
    b"QUERY",
)
_TARGETS = (
    *(
        b"/event",
        b"/global/event",
        b"/global/health",
        b"/metrics",
        b"/weir/livez",
        b"/weir/status",
    ),
    *(b"/weir/readyz", b"/session", b"/session/status", b"/session/ses_1/message", b"/path", b"/"),
    *(b"/session?limit=1&start=0", b"/event?directory=/tmp&since=x:1-2.3@v", b"*", b"//event"),
    *(b"/session/ses_1/prompt_async", b"http://h/session", b"/%65vent", b"/config?directory="),
)
_NAMES = (
    *(b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade"),
    *(b"Authorization", b"Last-Event-ID", b"X-Opencode-Directory", b"Content-Type", b"Origin"),
    *(b"api_key", b"Content_Length", b"Script_Name", b"X-Forwarded-Proto", b"Trailer", b"Range"),
    *(b"Access-Control-Request-Method", b"Accept-Encoding", b"TE", b"Cookie", b"Forwarded"),
)
_VALUES = (
    *(b"x", b"0", b"2", b"-1", b"99999999999999999999", b"chunked", b"gzip, chunked", b"close"),
    *(b"keep-alive, content-length", b"100-continue", b"websocket", b"h2c", b"Basic x", b"https"),
    *(b"application/json", b"\xff\xfe", b"e:1-2~3", b"http://localhost", b"/foo", b"", b"," * 90),
)
_BODIES = (
    *(b"", b"{}", b"[]", b'{"parts":[{"type":"text","text":"echo"}]}', b"\x00\xff", b"null"),
    *(
        b"2\r\n{}\r\n0\r\n\r\n",
        b"0\r\n\r\n",
        b"1;x\r\na\r\n0\r\nX: y\r\n\r\n",
        b"zz\r\n",
        b"{" * 99,
    ),
)
_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b" \r\n", b"\r\n ")
_NOISE = b"\x00\r\n\t :;,%/?#\x7f\x80\xffAaZz09"


def request(random: Random) -> bytes:
    """Return the bytes of one request, or of something like it."""
    line = b"%b %b HTTP/1.%d" % (
        random.choice(_METHODS),
        random.choice(_TARGETS),
        random.random() < 0.9,
    )
    body = random.choice(_BODIES)
    lines = [line, *_fields(random)]
    if random.random() < 0.5:
        framing = (b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        lines.append(random.choice(framing))
    end = b"\r\n" if random.random() < 0.9 else random.choice(_ENDS)
    data = end.join([*lines, b"", body])
    return data if random.random() < 0.6 else _mutated(random, data)


def _fields(random: Random) -> list[bytes]:
    count = random.choice((0, 1, 2, 3, 3, 300))
    return [
        b"%b: %b" % (random.choice(_NAMES), random.choice(_VALUES))
        for _ in range(count if random.random() < 0.9 else 1)
    ]


def _mutated(random: Random, data: bytes) -> bytes:
    """Change, add, repeat or cut some bytes."""
    mutated = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(mutated) + 1)
        match random.randrange(4):
            case 0:
                mutated[at : at + 1] = bytes([random.choice(_NOISE)])
            case 1:
                mutated[at:at] = bytes(random.choices(_NOISE, k=random.randint(1, 8)))
            case 2:
                mutated[at:at] = mutated[at : at + 30] * random.randint(1, 50)
            case 3:
                del mutated[at : at + random.randint(1, 40)]
    return bytes(mutated)
