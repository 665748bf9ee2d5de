"""One session for the editor: events in, updates out, no I/O."""
