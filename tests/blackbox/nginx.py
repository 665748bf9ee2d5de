"""A real nginx in front of weir: with the example of `deploy/nginx.conf`, or set up wrong."""

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.ports import free_port
from tests.processes import ROOT, wait_until
from tests.tls import certificate

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
EXAMPLE = ROOT / "deploy" / "nginx.conf"
_LISTEN, _WEIR = "127.0.0.1:8080", "127.0.0.1:4097"
_LISTEN_TLS, _CERTIFICATE, _KEY = "127.0.0.1:8443", "/etc/nginx/weir.crt", "/etc/nginx/weir.key"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_STOP_S = 5.0


@contextmanager
def nginx(folder: Path, weir: str) -> Iterator[tuple[str, str]]:
    """Run it for the time of a ``with`` block, with other addresses in the example.

    Returns:
        Its URL, and the one over TLS.

    Raises:
        AssertionError: nginx refuses the example, or an address is not in it.
    """
    listen, tls = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    files = certificate(folder)
    own = {_LISTEN: listen, _WEIR: urlsplit(weir).netloc, _LISTEN_TLS: tls}
    own |= dict(zip((_CERTIFICATE, _KEY), map(str, files), strict=True))
    with _running(folder, _example(own), f"http://{listen}") as url:
        yield url, f"https://{tls}"


@contextmanager
def nginx_with(folder: Path, weir: str, settings: str, path: str = "/") -> Iterator[str]:
    """Run it with settings of its own for the time of a ``with`` block; give its URL.

    Args:
        path: where it keeps the server, with a slash at both ends.
    """
    listen = f"127.0.0.1:{free_port()}"
    passing = f"location {path} {{ proxy_pass {weir}/; {settings} }}"
    server = f"server {{ listen {listen}; {passing} }}"
    with _running(folder, server, f"http://{listen}") as url:
        yield url + path


@contextmanager
def _running(folder: Path, servers: str, url: str) -> Iterator[str]:
    _write(folder, servers)
    log = folder / "nginx.log"
    command = [str(PROGRAM), "-p", str(folder), "-c", "main.conf", "-e", str(log)]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(url), what=f"nginx: {log}")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _example(addresses: dict[str, str]) -> str:
    example = EXAMPLE.read_text()
    for given, own in addresses.items():
        assert given in example, f"{EXAMPLE.name} does not say {given}"
        example = example.replace(given, own)
    return example


def _write(folder: Path, servers: str) -> None:
    (folder / "weir.conf").write_text(servers)
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    (folder / "main.conf").write_text(
        "daemon off; master_process off; pid nginx.pid;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}include weir.conf;\n}}\n"
    )


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(OSError):
        socket.create_connection((parts.hostname, parts.port), 1).close()
        return True
    return False
