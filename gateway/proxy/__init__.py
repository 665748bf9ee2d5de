"""The reverse proxy: every route that is not weir's own goes to the upstream.

The way of a request:

1. `gateway.door` receives the request. Falcon serves weir's own routes (`gateway.own_routes`).
2. `headers` decides which headers go to the upstream. `pool` gives a connection to send the
   request on; an idle connection only if the request may be sent twice.
3. `exchange` passes the bytes on in both directions, at once and without a queue: a piece is
   read when the previous piece has been taken.
4. `framing` turns the upstream's answer into the form that the client can read. `returned`
   replaces the upstream's paths in its headers if weir serves under another path.
5. `upgrade` decides which requests open a WebSocket. After the answer 101 a `tunnel` passes bytes
   both ways; `tunnels` counts them, and ends them when the worker stops.

WSGI has no trailers, no informational answers and no way to cut a body short, so the proxy writes
to the client's connection itself. The rules (`target`, `headers`, `framing`,
`frame_boundary`, `patience`, `returned`, `upgrade`) do no I/O.
"""
