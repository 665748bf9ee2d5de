"""`weir acp`: connects an editor that speaks ACP (Agent Client Protocol) to weir or an opencode.

The agent reaches the server over HTTP and SSE only. The folders `session`, `content` and
`protocol` have no I/O; `editor` reads from and writes to the editor, `api` sends requests to the
server and reads its event stream, and the module `agent` connects both sides.
"""
