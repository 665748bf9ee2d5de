"""The messages of the server (opencode's API) and of the editor (ACP), as types. No I/O."""
