"""The HTTP server: every request passes here, for weir's own routes and for the upstream's.

How a request travels:

1. `door` takes a connection. `slots` knows every connection that waits for its client, since when
   and until when, and ends those that have waited longest where room is short.
2. `wire` receives and sends. Every wait for the client is a wait that `slots` knows.
3. `reception` collects a head, within a size and a time, and looks at each byte once. `head`
   parses the head; `request` is the result, with a `body` that is read in pieces.
4. What costs much time for few bytes goes by `slow_lane`: requests sent in one go, very many
   headers, very many small chunks. All clients of a worker share the lane.
5. `own` gives the request to Falcon, or `gateway.proxy` passes it on.

The rules of HTTP (`head`, `chunks`) do no I/O. When in doubt they refuse, and the connection
ends: weir and an upstream must never disagree where a request ends.
"""
