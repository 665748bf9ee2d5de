"""weir in front of a real opencode: its own client, its own terminal, its own death."""
