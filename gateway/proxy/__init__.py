"""The reverse proxy: every route that is not weir's own goes to the upstream, and back.

How one request travels:

1. `gateway.door` receives the request. weir's own routes (`gateway.own_routes`)
   stay with Falcon.
2. `headers` says what goes on to the upstream; `pool` gives a connection to send it on, an idle
   one only where a request may be repeated.
3. `exchange` moves the bytes both ways. Nothing is held back and nothing piles up: a piece is
   read when the one before it has been taken.
4. `framing` puts the upstream's answer into the form that this client can read.

WSGI has no place for trailers, informational answers or a body cut short, so the proxy writes to
the client's connection itself. The rules (`target`, `headers`, `framing`, `patience`) do no I/O.
"""
