"""Events from an opencode: its one reader, which always drains the stream, and healing."""
