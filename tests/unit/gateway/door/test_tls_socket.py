"""TLS at the server's end: all bytes in order, whatever the kernel takes of a record."""

import os
import socket
import ssl

import gevent
import pytest
from gevent import socket as green
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.door.tls_socket import RECORD_BYTES, TlsSocket
from gateway.streams.peer_watch import look
from gateway.workers.certificate import server_context
from tests.tls import certificate

WAIT_S = 30


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    files = certificate(tmp_path_factory.mktemp("tls"))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server_context(*files), client


class Client:
    """The other end, which receives ciphertext in as small pieces as a test likes."""

    def __init__(self, sock, context):
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out)

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self.take(65536)
            else:
                self.flush()
                return

    def flush(self):
        self.sock.sendall(self._out.read())

    def take(self, size):
        data = self.sock.recv(size)
        self._in.write(data) if data else self._in.write_eof()
        return data

    def read(self):
        """Return what is decrypted so far."""
        got = b""
        try:
            while data := self.tls.read(65536):
                got += data
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return got


@pytest.fixture
def pair(contexts):
    """The server's end, and a client's that has agreed on keys."""
    made = []

    def connected():
        ends = [green.socket(fileno=one.detach()) for one in socket.socketpair()]
        server, client = TlsSocket(ends[0], contexts[0]), Client(ends[1], contexts[1])
        shaking = gevent.spawn(server.handshake)
        client.handshake()
        shaking.get(timeout=WAIT_S)
        made.extend((server, client.sock))
        return server, client

    yield connected
    for one in made:
        one.close()


@settings(
    max_examples=25,
    # It connects anew each time.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    pieces=st.lists(st.integers(1, 3 * RECORD_BYTES), min_size=1, max_size=8),
    reads=st.lists(st.integers(1, 40_000), min_size=1, max_size=5),
    blocking=st.lists(st.booleans(), min_size=1, max_size=5),
)
def test_partial_writes_lose_and_repeat_nothing(pair, pieces, reads, blocking):
    """What is not taken is given again, by `write_now` or `sendall`, as streams do."""
    server, client = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sent, got, turn = b"", b"", 0

    def read_all():
        nonlocal got, turn
        while len(got) < sum(pieces):
            client.take(reads[turn % len(reads)])
            turn += 1
            got += client.read()

    reader = None
    for number, size in enumerate(pieces):
        data = os.urandom(size)
        sent += data
        try:
            taken = server.write_now(data)
        except BlockingIOError:
            taken = 0
        reader = reader or gevent.spawn(read_all)
        rest = memoryview(data)[taken:]
        if blocking[number % len(blocking)]:
            server.sendall(rest)
        while rest and not blocking[number % len(blocking)]:
            gevent.sleep(0)
            try:
                rest = rest[server.write_now(rest) :]
            except BlockingIOError:
                continue
    reader.get(timeout=WAIT_S)
    assert got == sent


def test_both_directions_at_once(pair):
    server, client = pair()
    up, down = os.urandom(300_000), os.urandom(300_000)
    received = []

    def serve():
        data = b""
        while len(data) < len(up):
            data += server.recv(1000)
        received.append(data)

    serving, sending = gevent.spawn(serve), gevent.spawn(server.sendall, down)

    def write():
        for at in range(0, len(up), 7000):
            client.tls.write(up[at : at + 7000])
            client.flush()

    writing, got = gevent.spawn(write), b""
    while len(got) < len(down):
        client.take(5000)
        got += client.read()
    gevent.joinall([serving, sending, writing], timeout=WAIT_S, raise_error=True)
    assert (got, received) == (down, [up])


def test_a_look_leaves_what_it_sees_for_the_next_read(pair):
    server, client = pair()
    with pytest.raises(BlockingIOError):
        look(server)
    client.tls.write(b"hello")
    client.flush()
    assert [look(server), look(server)] == [b"h", b"h"]
    assert (server.recv(2), server.recv(100)) == (b"he", b"llo")
    with pytest.raises(BlockingIOError):
        look(server)


def test_a_look_takes_nothing_from_a_greenlet_that_reads(pair):
    server, client = pair()
    reading = gevent.spawn(server.recv, 100)
    gevent.sleep(0)
    client.tls.write(b"for the reader")
    client.flush()
    with pytest.raises(BlockingIOError):
        look(server)
    assert reading.get(timeout=WAIT_S) == b"for the reader"


@pytest.mark.parametrize("politely", [True, False])
def test_the_end_of_a_client_is_an_end_with_and_without_an_alert(pair, politely):
    server, client = pair()
    if politely:
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.unwrap()
        client.flush()
    else:
        client.sock.shutdown(socket.SHUT_WR)
    assert look(server) == b""
    assert server.recv(100) == b""


def test_after_its_own_end_a_server_still_reads(pair):
    server, client = pair()
    server.sendall(b"the last")
    server.shutdown(socket.SHUT_WR)
    got = b""
    while data := client.take(65536):
        got += client.read()
    assert (data, got) == (b"", b"the last")
    client.tls.write(b"still here")
    client.flush()
    assert server.recv(100) == b"still here"
    client.sock.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""


def test_a_record_that_does_not_belong_here_is_an_error(pair):
    server, client = pair()
    client.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(OSError, match=r"(?i)decrypt|mac"):
        server.recv(100)
