"""The reverse proxy: every route that is not weir's own goes to the upstream.

The way of a request:

1. `gateway.door` receives the request. Falcon serves weir's own routes (`gateway.own_routes`).
2. `headers` decides which headers go to the upstream. `pool` gives a connection to send the
   request on; an idle connection only if the request may be sent twice.
3. `exchange` moves the bytes both ways. Nothing is delayed, and nothing accumulates: a piece is
   read when the previous piece has been taken.
4. `framing` turns the upstream's answer into the form that the client can read.

WSGI has no trailers, no informational answers and no way to cut a body short, so the proxy writes
to the client's connection itself. The rules (`target`, `headers`, `framing`, `patience`) do no
I/O.
"""
