"""Frames of WebSockets, and the handshake (RFC 6455), as bytes."""

import struct

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASKS = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}")
"""The headers of a client's handshake."""
SWITCHES = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The upstream's answer."""
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_MASK = b"\x01\x02\x03\x04"


def frame(payload: bytes, opcode: int = TEXT, masked: bool = False, last: bool = True) -> bytes:
    """Return a frame; those of clients are masked."""
    size = len(payload)
    mark = 0x80 if masked else 0
    if size < 126:
        head = bytes([mark | size])
    elif size < 65536:
        head = bytes([mark | 126]) + struct.pack("!H", size)
    else:
        head = bytes([mark | 127]) + struct.pack("!Q", size)
    if masked:
        payload = _MASK + bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([(0x80 if last else 0) | opcode]) + head + payload
