"""The ACP agent, and the client side of a server's event stream, over HTTP alone.

Works against a gateway of weir and against an opencode. `session`, `content` and `protocol` are
pure, with no I/O. Around them, `editor` faces the editor, `api` the server, `agent` joins them.
"""
