"""Events from an opencode: the one reader of its stream, and healing after a cut of the stream."""
