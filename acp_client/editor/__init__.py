"""The connection to the editor: JSON-RPC on standard input and output."""
