"""Fetches each URL of the JSON list in argv, with a server of its own, and prints what came."""

import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

from bus.process.cooperative import patch_standard_library

patch_standard_library()

import gevent  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

from processor.tools.spool import Spool  # noqa: E402
from processor.tools.threads import Threads  # noqa: E402
from tests.unit.processor.tools.conftest import FakeCall, weirs_tools  # noqa: E402

PAGE = """<html><head><title>no</title><style>p {}</style></head><body><h1>Title</h1>
<p>Some <b>bold</b> text, a <a href="/x">link</a>.</p><ul><li>one<li>two</ul>
<pre>a  b
c</pre><script>var hidden</script></body></html>"""
TYPES = {"/page": "text/html; charset=utf-8", "/plain": "text/plain; charset=latin-1"}
BODIES = {"/page": PAGE.encode(), "/plain": "é".encode("latin-1"), "/binary": b"\0\1"}


def answer(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        gevent.sleep(600)
    if path.startswith("/to/"):
        start_response("302 Found", [("Location", environ["QUERY_STRING"])])
        return [b""]
    if path == "/loop":
        start_response("302 Found", [("Location", "/loop")])
        return [b""]
    if path == "/bomb":
        start_response("200 OK", [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")])
        return [gzip.compress(bytes(200 * 1024 * 1024), 1)]
    if path == "/trickle":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" for _ in iter(lambda: gevent.sleep(0.05), 1))
    if path == "/image":
        start_response("200 OK", [("Content-Type", "image/png")])
        return [b"\x89PNG"]
    if path not in BODIES:
        start_response("404 Not Found", [])
        return [b"nothing"]
    start_response("200 OK", [("Content-Type", TYPES.get(path, ""))])
    return [BODIES[path]]


def fetched(call, webfetch, arguments):
    call.needs.clear()
    try:
        outcome = webfetch.run(arguments, call)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        asked = [patterns for _, patterns in call.asked()]
    return {
        "output": outcome.output,
        "title": outcome.title,
        "attachments": outcome.attachments,
        "asked": asked,
    }


def main():
    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    host = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), 1 << 30, Threads())
        webfetch = weirs_tools({"PATH": os.environ["PATH"]}, spool)["webfetch"]
        call = FakeCall(folder)

        def refuse(need):
            if need.patterns[0] == f"{host}/denied":
                raise PermissionError(need.patterns[0])

        call.before_use = refuse
        results = [
            fetched(call, webfetch, {**one, "url": one["url"].replace("HOST", host)})
            for one in json.loads(sys.argv[1])
        ]
    print(json.dumps(results).replace(host, "HOST"))


main()
