"""nchan: publish and subscribe in nginx, written in C. Debian: nginx-light, libnginx-mod-nchan."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import process_tree
from tests.benchmarks.peers.peer import Missing, Peer
from tests.benchmarks.peers.posted import posted
from tests.processes import free_port

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_STOP_S = 10.0
_SETTINGS = """\
load_module {module};
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  nchan_max_reserved_memory 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 10000000;
    location /ev {{
      nchan_subscriber eventsource;
      nchan_channel_id x;
      nchan_subscriber_first_message newest;
    }}
    location /pub {{
      nchan_publisher;
      nchan_channel_id x;
      nchan_message_buffer_length 50000;
    }}
    location /ok {{ default_type application/json; return 200 '{{}}'; }}
  }}
}}
"""


@contextmanager
def nchan(flags: Sequence[str] = ()) -> Iterator[Peer]:
    """Run an nginx with one worker that does nothing else."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None or not _MODULE.exists():
        raise Missing("Debian's nginx-light and libnginx-mod-nchan are not installed")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        # The worker runs as another user.
        Path(folder).chmod(0o755)
        port = free_port()
        settings = Path(folder) / "nginx.conf"
        settings.write_text(_SETTINGS.format(module=_MODULE, folder=folder, port=port))
        process = subprocess.Popen([program, "-c", str(settings), "-p", folder])
        try:
            with posted(f"http://127.0.0.1:{port}", "nchan", []) as peer:
                pids = [process.pid, *(one.pid for one in process_tree.below(process.pid))]
                peer.groups["nchan"] = pids
                yield peer
        finally:
            process.terminate()
            process.wait(_STOP_S)


def version() -> str:
    """Return the versions of the Debian packages."""
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libnginx-mod-nchan"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip(", ")
