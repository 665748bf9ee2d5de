"""What a model can call: files, commands, the web, and the servers of MCP."""
