"""The ACP agent: connects an editor to the sessions of a server, by HTTP and SSE only.

It works with a gateway of weir and with an opencode. `session`, `content` and `protocol` are pure
code without I/O. `editor` reads from and writes to the editor, `api` does so for the server, and
`agent` connects both.
"""
