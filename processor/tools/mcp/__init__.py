"""Tools of MCP servers, each of which is held by a process of its own."""
