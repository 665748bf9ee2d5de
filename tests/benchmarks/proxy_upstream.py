"""``python -m tests.benchmarks.proxy_upstream``: answers ``GET /N`` with N bytes, plainly."""

import json
import socket
import threading

PIECE = b"x" * (1 << 18)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            size = int(head.split()[1].removeprefix(b"/"))
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
            connection.sendall(answer + PIECE[: min(size, len(PIECE))])
            for start in range(len(PIECE), size, len(PIECE)):
                connection.sendall(PIECE[: size - start])


def main() -> None:
    """Say the port as a line of JSON, and serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(json.dumps(listener.getsockname()[1]), flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
