"""The connection to the editor: standard input and output."""
