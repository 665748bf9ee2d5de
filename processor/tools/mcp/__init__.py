"""Tools of MCP servers; weir runs one process (`host.py`) for each server."""
