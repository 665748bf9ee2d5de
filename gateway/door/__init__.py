"""weir's HTTP server: it serves weir's own routes, and passes the others on to an upstream.

The way of a request:

1. `door` takes a connection. `slots` keeps a list of all connections that wait for their client,
   and for how long; if there are too many, it ends those that have waited longest.
2. `wire` receives and sends. Every wait for the client is registered in `slots`. With
   `--tls-cert`, `tls_socket` encrypts and decrypts below it.
3. `reception` receives the head of a request, within limits of size and time. `head` parses the
   head; the result is a `request`, with a `body` that is read in pieces.
4. Input that costs much CPU time for few bytes waits in the queue `slow_lane`: requests that are
   sent without waiting for answers, very many headers, very many small chunks. All clients of a
   worker share this queue.
5. `own` passes the request to Falcon, or `gateway.proxy` sends it to the upstream.

The rules of HTTP (`head`, `chunks`) do no I/O. An ambiguous request is refused, and its connection
ends: weir and an upstream must always agree where a request ends.
"""
