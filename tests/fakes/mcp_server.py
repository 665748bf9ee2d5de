"""An MCP server whose tools behave badly: over stdin and stdout, or with ``http`` over HTTP."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("echo", "fail", "die", "wait", "big", "flood", "line")


def tools():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [{"name": name, "description": f"Does {name}", "inputSchema": schema} for name in NAMES]


def called(name, arguments):
    content = [{"type": "text", "text": arguments.get("text", "")}]
    if name == "die":
        # The end of stdout is seen while the process still runs: so it is with a large process.
        os.close(1)
        time.sleep(0.3)
        os._exit(3)
    if name == "big":
        content = [{"type": "text", "text": "x" * 200_000}]
    if name == "flood":
        notice = {"jsonrpc": "2.0", "method": "notifications/message"}
        notice["params"] = {"level": "info", "data": "x" * 1000}
        while True:
            print(json.dumps(notice), flush=True)
    if name == "line":
        while True:
            sys.stdout.write("x" * 1_000_000)
    return {"content": content, "isError": name == "fail"}


def answer(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        result = {"capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "1"}}
        return {"result": {"protocolVersion": params["protocolVersion"], **result}}
    if method == "tools/list":
        return {"result": {"tools": tools()}}
    if method == "tools/call":
        return {"result": called(params["name"], params.get("arguments") or {})}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": f"no method {method}"}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        allowed = self.headers.get("X-Key") == "secret"
        if not allowed or "id" not in request:
            self.send_response(202 if allowed else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_error(405)

    def log_message(self, *_):
        pass


def main():
    if sys.argv[1:] == ["http"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
    for line in sys.stdin:
        request = json.loads(line)
        never = (request.get("params") or {}).get("name") == "wait"
        if "id" in request and not never:
            print(
                json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), flush=True
            )


if __name__ == "__main__":
    main()
