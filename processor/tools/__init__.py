"""Tools that a model can call: files, commands, the web, and MCP servers."""
