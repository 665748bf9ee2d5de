"""The ACP agent, and the client side of a server's event stream, over HTTP alone.

Works against a gateway of weir and against an opencode. Pure, with no I/O: the conversation
(`conversation`, `parts`, `text`, `messages`, `early`, `turn`, `history`), what it is made of
(`tools`, `diffs`, `patches`, `plan`, `usage`, `options`, `blocks`, `permission`, `question`) and
the two protocols (`wire`, `decode`, `updates`, `methods`, `jsonrpc`, `lines`). Around it, `peer`
and `outlet` face the editor, `feed`, `stream` and `server` the server, and `agent` joins them.
"""
