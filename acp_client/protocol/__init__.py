"""The two protocols: the server's and the editor's. No I/O."""
